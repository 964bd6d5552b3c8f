// GET /channels/:channel as people write it with NestJS: @Sse over a Redis subscription that all clients of a channel
// share. Decorators are called as functions, so that nothing needs to be compiled.
import "reflect-metadata";
import { Controller, Module, Param, Sse } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import Redis from "ioredis";
import { Observable, share } from "rxjs";

const [port, redisUrl] = process.argv.slice(2);
const redis = new Redis(redisUrl);
const listeners = new Map();
redis.on("message", (channel, data) => listeners.get(channel)?.next({ data }));

const channels = new Map();
function messagesOf(channel) {
  if (!channels.has(channel)) {
    const messages = new Observable((subscriber) => {
      listeners.set(channel, subscriber);
      redis.subscribe(channel);
      return () => {
        listeners.delete(channel);
        redis.unsubscribe(channel);
      };
    });
    channels.set(channel, messages.pipe(share()));
  }
  return channels.get(channel);
}

class ChannelsController {
  stream(channel) {
    return messagesOf(channel);
  }
}
Param("channel")(ChannelsController.prototype, "stream", 0);
Sse(":channel")(
  ChannelsController.prototype,
  "stream",
  Object.getOwnPropertyDescriptor(ChannelsController.prototype, "stream"),
);
Controller("channels")(ChannelsController);

class AppModule {}
Module({ controllers: [ChannelsController] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: ["error", "warn"] });
await app.listen(Number(port), "127.0.0.1");
