import { describeSameSite } from './same-site.mjs';

describeSameSite('chromium');
