import { createGate } from 'edgegate';

export const gate = createGate({
  issuers: [{ issuer: 'https://issuer.test/', audience: ['https://api.test'], algorithms: ['HS256'], secret: 'JWT_SECRET' }],
}, { secrets: process.env });
