// Plays Redis against the filter of oversized strings, and against both connections that act on its answers.
// Redis is trusted with messages, but another program may listen on its port. That must do no harm.
#include <hiredis/hiredis.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <cassert>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/base/logging.h"
#include "broker/bus/announcement.h"
#include "broker/bus/oversize_filter.h"
#include "broker/bus/redis_publisher.h"
#include "broker/bus/redis_subscriber.h"
#include "fuzz_input.h"
#include "proto/channel_name.h"

namespace weir {
namespace {

constexpr std::size_t kMessageBytesMax = 64;
constexpr std::string_view kWanted[] = {"a", "user:42", "news"};

// --- The filter alone

std::string filtered(std::string_view text, std::size_t limit, std::size_t step) {
  OversizeFilter filter(limit);
  std::string passed;
  std::vector<std::string_view> views;
  for (; !text.empty(); text.remove_prefix(std::min(step, text.size()))) {
    views.clear();
    filter.filter(text.substr(0, step), views);
    for (const std::string_view view : views) passed += view;
  }
  return passed;
}

struct ReaderDeleter {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

bool is_within(const redisReply& reply, std::size_t limit) {
  if (reply.type == REDIS_REPLY_STRING && reply.len > limit) return false;
  for (std::size_t i = 0; i < reply.elements; ++i) {
    if (!is_within(*reply.element[i], limit)) return false;
  }
  return true;
}

void check_filter(std::string_view text, std::size_t limit, std::size_t step) {
  const std::string passed = filtered(text, limit, step);
  assert(passed == filtered(text, limit, text.size() + 1));  // However it was cut on the way.
  assert(passed.size() <= text.size() + 8);                  // A nil, or what is no RESP, for the last item.
  assert(filtered(passed, limit, step) == passed);           // Nothing is left to be taken out.
  const std::unique_ptr<redisReader, ReaderDeleter> reader(redisReaderCreate());
  redisReaderFeed(reader.get(), passed.data(), passed.size());
  void* parsed = nullptr;
  while (redisReaderGetReply(reader.get(), &parsed) == REDIS_OK && parsed != nullptr) {
    assert(is_within(*static_cast<redisReply*>(parsed), limit));
    freeReplyObject(std::exchange(parsed, nullptr));
  }
}

// --- Announcements

void check_announcement(std::string_view text) {
  const auto entry = parse_announcement(text, kMessageBytesMax);
  if (!entry) return;
  const std::string head = format_stream_id(entry->id) + " " + std::to_string(entry->time) + " ";
  assert(text.starts_with(head));
  assert(entry->is_too_large == (text.size() - head.size() > kMessageBytesMax));
  assert(entry->payload == (entry->is_too_large ? std::string_view() : text.substr(head.size())));
}

// --- The connections

class Listener final : public BusListener {
 public:
  void on_message(std::string_view channel, std::string_view payload) override {
    check(channel);
    assert(payload.size() <= kMessageBytesMax);
  }
  void on_too_large(std::string_view channel) override { check(channel); }
  void on_subscribed(std::string_view channel) override {
    assert(wanted.contains(std::string(channel)));
    ++subscribed;
  }
  void on_recording(std::string_view pattern) override { assert(pattern == "log.*"); }
  void on_refused(std::string_view channel, std::string_view) override {
    assert(channel == "log.*" || wanted.contains(std::string(channel)));
  }
  void on_lost() override {}
  void on_state(bool is_up) override { assert(std::exchange(was_up, is_up) != is_up); }
  void on_idle() override {}

  std::set<std::string> wanted;
  std::size_t subscribed = 0;
  bool was_up = false;

 private:
  // A real Redis sends only channels that were asked for. Here the name may be anything, and it goes into
  // JSON and into logs.
  static void check(std::string_view channel) { assert(channel.size() <= 1 << 16); }
};

// Redis' end of the connections, one after the other.
class FakeRedis {
 public:
  FakeRedis() : acceptor_(io_, asio::local::stream_protocol::endpoint(path())) {
    acceptor_.non_blocking(true);
  }

  static std::string path() { return std::string("\0weir-fuzz-", 11) + std::to_string(getpid()); }
  // The newest connection. Earlier ones were given up, and their client came back.
  asio::local::stream_protocol::socket accept() {
    asio::error_code error;
    asio::local::stream_protocol::socket last(io_);
    while (!error) {
      asio::local::stream_protocol::socket socket(io_);
      acceptor_.accept(socket, error);
      if (!error) last = std::move(socket);
    }
    return last;
  }

 private:
  asio::io_context io_;
  asio::local::stream_protocol::acceptor acceptor_;
};

RedisBusOptions options() {
  RedisBusOptions options;
  options.url.path = FakeRedis::path();
  options.prefix = "p:";
  options.limits = {.message_bytes_max = kMessageBytesMax,
                    .publishes_waiting_max = 10'000,
                    .publishes_waiting_bytes_max = 64 << 20};
  options.publish_timeout = std::chrono::seconds(5);
  return options;
}

void settle(asio::io_context& io) {
  while (io.poll() > 0) io.restart();
  io.restart();
}

// Sends `text` to the connected client in pieces, and calls `between` after each.
template <typename Between>
void say(FakeRedis& redis, asio::io_context& io, FuzzInput& input, Between between) {
  settle(io);
  auto socket = redis.accept();
  assert(socket.is_open());
  const auto write = [&socket](std::string_view text) {
    (void)!::send(socket.native_handle(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  };
  write("+PONG\r\n");
  settle(io);
  while (!input.is_empty()) {
    between();
    settle(io);
    write(input.until('\xff'));
    settle(io);
  }
}

void check_subscriber(FakeRedis& redis, FuzzInput& input) {
  const RedisBusOptions redis_options = options();
  asio::io_context io;
  Listener listener;
  RedisSubscriber subscriber(io, redis_options, listener);
  if (input.flip()) subscriber.record("log.*");
  subscriber.open();
  say(redis, io, input, [&] {
    const std::string channel(kWanted[input.choice(std::size(kWanted))]);
    listener.wanted.insert(channel);
    input.flip() ? subscriber.unsubscribe(channel) : subscriber.subscribe(channel);
    subscriber.settle();
    assert(subscriber.state().acknowledged <= subscriber.state().wanted);
  });
  subscriber.close();
  settle(io);
}

void check_publisher(FakeRedis& redis, FuzzInput& input) {
  const RedisBusOptions redis_options = options();
  asio::io_context io;
  JobQueue queue({kMessageBytesMax, 8, 1'024}, [] {});
  RedisPublisher publisher(io, redis_options, queue);
  std::size_t asked = 0;
  std::size_t answered = 0;
  publisher.open();
  say(redis, io, input, [&] {
    std::vector<BusJob> jobs;
    for (std::size_t i = input.choice(4); i > 0; --i) {
      ++asked;
      queue.publish("news", "payload", [&answered](PublishResult) { ++answered; });
    }
    queue.take(jobs);
    for (BusJob& job : jobs) {
      if (job.kind == BusJob::Kind::kPublish) {
        publisher.publish(std::move(job));
      } else {
        job.done(std::move(job.result));
      }
    }
    publisher.flush();
  });
  publisher.close();
  settle(io);
  assert(answered == asked && queue.publishes_waiting() == 0);  // Each is told once what became of it.
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static weir::FakeRedis redis;
  weir::set_log_level(weir::LogLevel::kOff);
  weir::FuzzInput input(data, size);
  switch (input.choice(4)) {
    case 0: {
      const std::size_t limit = input.choice(128);
      const std::size_t step = 1 + input.choice(32);
      weir::check_filter(input.rest(), limit, step);
      break;
    }
    case 1:
      weir::check_subscriber(redis, input);
      break;
    case 2:
      weir::check_publisher(redis, input);
      break;
    default:
      weir::check_announcement(input.rest());
      break;
  }
  return 0;
}
