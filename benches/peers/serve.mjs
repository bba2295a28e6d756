// A server in a process of its own: `node serve.mjs FRAMEWORK CONTESTANT OPTIONS` prints its port, and goes on until it is ended.

const [framework, contestant, options] = process.argv.slice(2);
const contestants = await import(`./${framework}.mjs`);
console.log(await contestants[contestant](JSON.parse(options)));
