import { Buffer } from 'node:buffer';

/** The bytes of an engine that is a text. Not by `import`: those who read the file would load zlib for nothing. */
export const inflated = (text) => process.getBuiltinModule('node:zlib').inflateRawSync(Buffer.from(text, 'base64'));
