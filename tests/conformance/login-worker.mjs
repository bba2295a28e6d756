// The application of login-application.mjs in workerd.

import { guard } from '../../pkg/adapters/fetch.js';
import * as edgegate from '../../pkg/gate/workerd.js';
import { application } from './login-application.mjs';

let serve;

export default {
  fetch(request, { DATA }, context) {
    serve ??= application(edgegate, guard, DATA);
    return serve(request, context);
  },
};
