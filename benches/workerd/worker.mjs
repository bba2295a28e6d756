// Runs in workerd. Clocks stand still there while code runs, so the time is taken by whoever asks: one request
// verifies all the tokens that an earlier one brought.
//
// POST /load {key, tokens}   keeps them for the requests to come
// GET  /run?who=NAME         verifies each of them once and answers how many there were
// POST /verify?who=NAME      verifies the token in the body: its claims, or 401

import { createApiKeys, createVerifier } from 'edgegate';

import { hono, joseWith, tsndr, webAlgorithm, webKey } from '../lib/peers-web.mjs';
import { AUDIENCE, ISSUER } from '../lib/names.mjs';

const text = new TextEncoder();
const bytesOf = (base64url) =>
  Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0));

/** What is verified of a token where there is nothing but a signature. */
const decode = (token) => {
  const end = token.lastIndexOf('.');
  return { message: text.encode(token.slice(0, end)), signature: bytesOf(token.slice(end + 1)) };
};

/** Each makes `(token) => claims`, awaited. */
const CONTESTANTS = {
  // What a request costs that verifies nothing: taken off from the others.
  nothing: () => async (token) => token,

  'await verify': ({ algorithm, jwk }) => {
    const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, algorithms: [algorithm], key: jwk, cache: false });
    return async (token) => (await verifier.verify(token)).claims;
  },

  jose: async (key) => joseWith(await webKey(key), key),
  'hono/jwt': async (key) => hono(await webKey(key), key),
  '@tsndr/cloudflare-worker-jwt': async (key) => tsndr(await webKey(key), key),

  'crypto.subtle.verify': async (given) => {
    const parameters = webAlgorithm(given.algorithm);
    const key = await webKey(given);
    const verify = async ({ message, signature }) => {
      if (!(await crypto.subtle.verify(parameters, key, signature, message))) throw new Error('signature');
    };
    return Object.assign(verify, { prepare: decode });
  },

  'keys.verify': ({ secret }) => {
    const keys = createApiKeys({ environment: 'live', prefixes: ['sk'], signingKeys: [{ id: 1, secret }] });
    return (key) => keys.verify(key);
  },

  'crypto.subtle.digest': () => (key) => crypto.subtle.digest('SHA-256', text.encode(key)),
};

let loaded;

async function load(body) {
  const { key, who } = JSON.parse(body);
  const contestants = new Map();
  for (const name of who) {
    const verify = await CONTESTANTS[name](key);
    // Strings of its own for each: what one has learnt about a string must not help the next.
    const { tokens } = JSON.parse(body);
    contestants.set(name, { verify, tokens: verify.prepare ? tokens.map(verify.prepare) : tokens });
  }
  loaded = contestants;
}

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/load') {
      await load(await request.text());
      return new Response('loaded');
    }
    const { verify, tokens } = loaded.get(searchParams.get('who'));
    if (pathname === '/verify') {
      const token = await request.text();
      try {
        return Response.json((await verify(verify.prepare ? verify.prepare(token) : token)) ?? null);
      } catch (error) {
        return new Response(error.message, { status: 401 });
      }
    }
    let count = 0;
    for (let index = 0; index < tokens.length; index += 1) {
      await verify(tokens[index]);
      count += 1;
    }
    return new Response(String(count));
  },
};
