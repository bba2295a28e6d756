// A program: a page behind express-openid-connect, with the code flow.

import express from 'express';
import connect from 'express-openid-connect';

import { home } from '../pages.mjs';

const { origin, issuer, clientSecret, secrets, port } = JSON.parse(process.argv[2]);

const app = express();
app.set('trust proxy', true);
app.use(connect.auth({
  baseURL: origin,
  issuerBaseURL: issuer,
  clientID: 'app',
  clientSecret,
  secret: secrets,
  authorizationParams: { response_type: 'code', scope: 'openid email' },
  idTokenSigningAlg: 'RS256',
}));
app.use((request, response) => response.type('html').send(home(request.oidc.user.sub)));
app.listen(port, '127.0.0.1', () => process.send({ ready: true }));
