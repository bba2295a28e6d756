// Python with the validators of others.

import { pythonEnvironment } from '../python.mjs';

export const { python, ensure } = pythonEnvironment('watch', 'validators of events', new URL('requirements.txt', import.meta.url));
