// What tokens and verifiers agree on, in every runtime.

export const ISSUER = 'https://issuer.example/';
export const AUDIENCE = 'https://api.example.com';
