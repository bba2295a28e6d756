module.exports = { output: 'standalone', outputFileTracingRoot: __dirname };
