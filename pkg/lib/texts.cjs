'use strict';

// The engines as texts, for code that a bundler has taken away from the files. This is CommonJS because `require` is the one way to a module
// that bundlers follow and Node does not go before it has to: to read a text of a megabyte at each start would take longer than all else.
// `cargo xtask package` puts this file beside the texts.

exports.fast = () => require('./edgegate_fast_text.js').text;
exports.gate = () => require('./edgegate_gate_text.js').text;
exports.pure = () => require('./edgegate_pure_text.js').text;
