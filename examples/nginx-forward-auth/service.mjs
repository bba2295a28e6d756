// The service behind nginx: it answers with the headers that it was sent.
import http from 'node:http';

const service = http.createServer((request, response) => response.end(`${JSON.stringify(request.headers, null, 2)}\n`));
service.listen(process.env.PORT ?? 3000, '127.0.0.1', () => console.log(`http://127.0.0.1:${service.address().port}`));
