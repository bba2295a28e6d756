// Python with the OAuth clients.

import { pythonEnvironment } from '../python.mjs';

export const { python, ensure } = pythonEnvironment('python-clients', 'the Python clients', new URL('python-requirements.txt', import.meta.url));
