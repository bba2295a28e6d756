import { Buffer } from 'node:buffer';

/** The bytes of an engine that is a text. */
export const inflated = ({ inflateRawSync }, text) => inflateRawSync(Buffer.from(text, 'base64'));
