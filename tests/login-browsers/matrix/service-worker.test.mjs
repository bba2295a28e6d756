import { installedEngines } from '../engines.mjs';
import { describeServiceWorkers } from '../service-worker.mjs';

for (const engine of installedEngines()) describeServiceWorkers(engine);
