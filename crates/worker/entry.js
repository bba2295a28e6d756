// What the platform calls: requests, and Durable Objects by their classes. It stands in the place of worker-build's
// entry, which makes a class and two proxies for each request.
//
// After a trap there is a new instance of the module. Nothing is kept of the old one: the requests it was serving fail,
// later ones do not notice, and objects are made anew from what they have stored.

import { env as bindings } from 'cloudflare:workers';
import * as engine from './index.js';

Error.stackTraceLimit = 100;

/** Shared with the panic hook, which sets `criticalError`; `instanceId` tells instances apart. */
const state = engine.__worker_init_state();

function renew() {
  engine.__wbg_reset_state();
  state.criticalError = false;
  state.instanceId += 1;
}

/** At once, so that what the old instance still waits for finds it gone, and not another in its place. */
function giveUp(fault) {
  console.error('Critical', fault);
  state.criticalError = true;
  renew();
}

// Traps after the answer was promised, where nobody can catch them.
const giveUpIfTrap = (fault) => {
  if (fault instanceof WebAssembly.RuntimeError) giveUp(fault);
};
addEventListener('error', ({ error }) => giveUpIfTrap(error));
addEventListener('unhandledrejection', ({ reason }) => giveUpIfTrap(reason));

/** Calls the engine. It answers faults as responses and rejections: what it throws is a trap, or came out of one. */
function guarded(call) {
  if (state.criticalError) renew();
  try {
    return call();
  } catch (fault) {
    giveUp(fault);
    throw fault;
  }
}

// The policy is read while the isolate starts, so that no request has to wait for it. A Worker that embeds the gate may have
// no such function, and what goes wrong in it goes wrong again in the first request, which is answered.
const { prepare } = engine;
try {
  if (prepare) guarded(() => prepare(bindings));
} catch {}

export default {
  fetch: (request, env, context) => guarded(() => engine.fetch(request, env, context)),
};

/** The class as the platform sees it: its objects outlast an instance of the module. */
function lasting(Class) {
  return class {
    #context;
    #env;
    #object;
    #instanceId;

    constructor(context, env) {
      this.#context = context;
      this.#env = env;
      this.#make();
    }

    #make() {
      this.#object = guarded(() => new Class(this.#context, this.#env));
      this.#instanceId = state.instanceId;
    }

    #call(name, argument) {
      if (state.criticalError) renew();
      if (this.#instanceId !== state.instanceId) this.#make();
      return guarded(() => this.#object[name](argument));
    }

    fetch(request) {
      return this.#call('fetch', request);
    }

    alarm() {
      return this.#call('alarm');
    }
  };
}

export const CounterObject = lasting(engine.CounterObject);
export const RevocationLedger = lasting(engine.RevocationLedger);
export const SessionObject = lasting(engine.SessionObject);
export const GrantObject = lasting(engine.GrantObject);
export const KeyRingObject = lasting(engine.KeyRingObject);
export const WatchObject = lasting(engine.WatchObject);
export const LoginObject = lasting(engine.LoginObject);
