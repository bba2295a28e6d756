// Python with pyotp, soft-webauthn, py_webauthn, Django and what hashes passwords.

import { pythonEnvironment } from '../python.mjs';

export const { python, ensure } = pythonEnvironment('accounts', 'what accounts are held against', new URL('requirements.txt', import.meta.url));
