import { describeSessionsIn } from '../site.mjs';

describeSessionsIn('firefox');
