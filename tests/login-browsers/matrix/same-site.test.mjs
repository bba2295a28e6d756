import { installedEngines } from '../engines.mjs';
import { describeSameSite } from '../same-site.mjs';

for (const engine of installedEngines()) describeSameSite(engine);
if (installedEngines().includes('webkit')) describeSameSite('webkit', { itp: true });
