import { createGate } from 'edgegate/gate';

export const gate = createGate({
  issuers: [{ issuer: 'https://issuer.test/', audience: ['https://api.test'], algorithms: ['HS256'], secret: 'JWT_SECRET' }],
}, { secrets: { JWT_SECRET: process.env.JWT_SECRET } });
