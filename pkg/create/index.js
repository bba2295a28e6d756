#!/usr/bin/env node
// `npm create edgegate my-gate` is `edgegate init my-gate`, before anything is installed.

import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const manifest = createRequire(import.meta.url).resolve('edgegate/package.json');
process.argv.splice(2, 0, 'init');
await import(pathToFileURL(path.join(path.dirname(manifest), 'bin/edgegate.js')));
