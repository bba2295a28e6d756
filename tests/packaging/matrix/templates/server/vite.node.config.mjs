export default { build: { ssr: 'server.mjs', outDir: 'out', rollupOptions: { output: { entryFileNames: 'server.mjs' } } }, ssr: { noExternal: true } };
