// The conformance suites in workerd: a suite's name and data come in, what it counted goes out.

import * as edgegate from 'edgegate';

import { SUITES } from './suites.mjs';

export default {
  async fetch(request) {
    const { suite, data, ask } = await request.json();
    if (ask !== undefined) return new Response((await fetch(ask)).status);
    return Response.json(await SUITES[suite](edgegate, data));
  },
};
