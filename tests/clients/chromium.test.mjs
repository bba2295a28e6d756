import { describeSessionsIn } from './site.mjs';

describeSessionsIn('chromium');
