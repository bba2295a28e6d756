export * from '../node.js';
