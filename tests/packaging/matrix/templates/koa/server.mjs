import Router from '@koa/router';
import { guard } from 'edgegate/koa';
import Koa from 'koa';
import { gate } from './gate.mjs';

const router = new Router();
router.get('/v1/x', (context) => { context.body = context.state.auth.subject; });
new Koa().use(guard(gate)).use(router.routes()).listen(Number(process.env.PORT), '127.0.0.1');
