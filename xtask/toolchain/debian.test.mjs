// The packages of which a toolchain for wasm32 is made.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('debian.sh', import.meta.url));

test('unpacks what apt plans, and what may be installed already', () => {
  const plan = [
    'Reading package lists...',
    'Inst libllvm22 (1:22.1.8 Debian-Security [amd64])',
    'Inst rustc-web (1.96.0 Debian-Security [amd64])',
    'Conf libllvm22 (1:22.1.8 Debian-Security [amd64])',
  ].join('\n');
  const dependencies = [
    'rustc-web', '  Depends: libc6', '  Depends: libstd-rust-web-dev', 'libstd-rust-web-dev', '  Depends: libstd-rust-web-1.96',
  ].join('\n');
  const printed = execFileSync('sh', [SCRIPT, '--packages', plan, dependencies], { encoding: 'utf8' });
  assert.deepEqual(printed.trim().split('\n'), [
    'cargo-web', 'libllvm22', 'libstd-rust-web-1.96', 'libstd-rust-web-dev', 'rust-web-clippy', 'rust-web-src', 'rustc-web',
  ]);
});
