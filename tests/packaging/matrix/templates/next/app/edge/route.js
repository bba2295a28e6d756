import { answer } from '../../verify.js';

export const runtime = 'edge';
export const GET = answer;
