// How VitePress builds the site. The documents are staged by build.mjs; their order is that of docs/SUMMARY.md.

import { fileURLToPath } from 'node:url';

import { anchorsOf, sections } from '../pages.mjs';

const sidebar = sections().map(({ title, pages }) => ({
  text: title, items: pages.map((page) => ({ text: page.title, link: `/${page.name.replace(/(^|\/)index$/, '$1')}` })),
}));

export default {
  title: 'edgegate',
  description: 'A gate for APIs: who calls, may they, and how often',
  lang: 'en',
  base: '/docs/',
  srcDir: 'source',
  outDir: fileURLToPath(new URL('../../../target/site/docs', import.meta.url)),
  cacheDir: fileURLToPath(new URL('../../../target/site-cache', import.meta.url)),
  cleanUrls: true,
  head: [['link', { rel: 'icon', href: '/docs/icon.svg', type: 'image/svg+xml' }]],
  // Text is text: `<name>` outside of code is no element. The name of a heading is the same as on the platforms that show the Markdown.
  // The usual colours of code are too pale to be read by all.
  markdown: {
    html: false,
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    anchor: { slugify: (heading) => [...anchorsOf(`# ${heading}`)][0] },
  },
  themeConfig: {
    logo: '/icon.svg',
    search: { provider: 'local' },
    outline: { level: [2, 3] },
    nav: [
      { text: 'Start here', link: '/start' },
      { text: 'Guides', link: '/guides/' },
      { text: 'Try it', link: '/../www/', target: '_self' },
    ],
    sidebar,
  },
};
