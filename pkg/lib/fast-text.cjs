'use strict';

// The engine for verifiers as a text, for code that a bundler has taken away from the file. This is CommonJS because `require` is the one way to a module
// that bundlers follow and Node does not go before it has to: to read such a text at each start would take longer than all else.
// `cargo xtask package` puts this file beside the texts.

exports.text = () => require('./edgegate_fast_text.js').text;
