// The gate, as the package edgegate brings it, with its Durable Objects.
export { default } from 'edgegate/worker';
export * from 'edgegate/worker';
