// The section Documentation of the checklist: whether the page for callers (`edgegate docs`) is there, and says what the policy says.

import { existsSync, readFileSync } from 'node:fs';

import { callersPage } from '../docs.js';
import { fail, pass, skip } from './checklist.js';

/** The headings of the page by the ids of their lines. */
const HEADINGS = {
  'docs-authentication': 'Authenticate',
  'docs-keys': 'API keys',
  'docs-tokens': 'Access tokens',
  'docs-errors': 'Errors',
  'docs-limits': 'Limits',
  'docs-practice': 'Good practice',
};

/** What a section says of the policy: rows and points. Other words may be the operator's own. */
function sectionsOf(markdown) {
  const sections = new Map();
  let lines;
  for (const line of markdown.split('\n')) {
    const [, heading] = /^## (.+)$/.exec(line) ?? [];
    if (heading !== undefined) sections.set(heading, (lines = []));
    else if (/^(\||- |\d+\. )/.test(line)) lines?.push(line);
  }
  return sections;
}

const FIX = 'npx edgegate docs --force, and give it to those who call';

function checked(heading, { policy, callers }) {
  const wanted = sectionsOf(callersPage(policy.own).markdown).get(heading);
  if (wanted === undefined) return skip('the policy has nothing of the kind');
  if (!existsSync(callers)) return fail(`there is no ${callers}`, { fix: 'npx edgegate docs, and give the page to those who call; --callers names another place' });
  const found = sectionsOf(readFileSync(callers, 'utf8')).get(heading);
  if (found === undefined) return fail(`${callers} has no section ${heading}`, { fix: FIX });
  const missing = wanted.filter((line) => !found.includes(line));
  return missing.length === 0
    ? pass(`${callers}, section ${heading}, says what the policy says`)
    : fail(`${callers}, section ${heading}, is older than the policy: ${missing.length} of ${wanted.length} lines differ`, { fix: FIX });
}

export const DOCUMENTS = Object.fromEntries(Object.entries(HEADINGS).map(([id, heading]) => [id, (facts) => checked(heading, facts)]));
