import http from 'node:http';

/** A Worker that is still starting lets its first request wait. */
const ANSWER_MILLIS = 5_000;

/** Asks the gate on this machine, by `node:http` since `fetch` refuses some ports. */
export const ask = (port, method, target, headers = {}, body = '') => new Promise((resolve, reject) => {
  const request = http.request({ host: '127.0.0.1', port, agent: false, path: target, method, headers, timeout: ANSWER_MILLIS }, (answer) => {
    answer.toArray().then((chunks) => resolve({ status: answer.statusCode, text: Buffer.concat(chunks).toString().trim() }), reject);
  });
  request.on('error', reject).on('timeout', () => request.destroy(new Error('no answer'))).end(body);
});
