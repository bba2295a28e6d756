import { answer } from '../../verify.js';

export const dynamic = 'force-dynamic';
export const GET = answer;
