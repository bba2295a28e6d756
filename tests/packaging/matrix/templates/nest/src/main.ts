import 'reflect-metadata';
import { Controller, Get, Module, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Identity } from 'edgegate';
import { guard } from 'edgegate/express';
import { gate } from './gate.js';

@Controller('v1')
class Sample {
  @Get('x')
  show(@Req() request: { auth: Identity }): string | undefined {
    return request.auth.subject;
  }
}

@Module({ controllers: [Sample] })
class Application {}

const app = await NestFactory.create(Application, { logger: false });
app.use(guard(gate, { caseSensitive: true }));
await app.listen(Number(process.env['PORT']), '127.0.0.1');
