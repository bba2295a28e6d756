// Requests to a running gate, as a caller sends them. None carries the administrator's secret.

const ANSWER_MILLIS = 10_000;
const MAX_BYTES = 256 * 1024;

/** What was answered: `{status, headers, text, setCookies}`; `{failed}` with a word for why, if nothing was. */
export async function ask(url, { method = 'GET', headers = {}, body } = {}) {
  try {
    const answer = await fetch(url, { method, headers, body, redirect: 'manual', signal: AbortSignal.timeout(ANSWER_MILLIS) });
    return { status: answer.status, headers: answer.headers, setCookies: answer.headers.getSetCookie(), text: await start(answer) };
  } catch (error) {
    return { failed: error.name === 'TimeoutError' ? 'no answer' : error.cause?.code ?? error.cause?.message ?? error.message };
  }
}

/** Nobody knows how much an address sends that is not the gate's. */
async function start(answer) {
  const chunks = [];
  let length = 0;
  for await (const chunk of answer.body ?? []) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

export const json = ({ text }) => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The refusal of a gate: its code. */
export const codeOf = (answer) => (answer.failed ? undefined : json(answer)?.code);
