// weir-micro: the steps of a message's way, one by one. With WEIR_BENCH_ITERATIONS=n each runs just so often,
// for bench/micro/count, which counts instructions.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/load/stamp.h"
#include "broker/config.h"
#include "broker/fanout/batch.h"
#include "broker/hub/hub.h"
#include "broker/log/channel_log.h"
#include "broker/log/frame.h"
#include "proto/envelope.h"
#include "proto/event_id.h"
#include "proto/sse.h"

namespace {

using namespace weir;

constexpr Sequence kAll = ~Sequence{0};

std::string payload_of(std::size_t bytes) { return bench::make_payload(bytes, {42, 1'234'567'890}); }
std::string enveloped(std::size_t bytes) { return R"({"type":"line","data":)" + payload_of(bytes) + "}"; }

void parse(benchmark::State& state, const std::string& payload) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_payload(payload, EnvelopeMode::kAuto));
}

// Payloads that are the most work for their size, each beside "worst/plain".
struct Worst {
  const char* name;
  const char* begin;
  const char* unit;  // Again and again, up to kWorstBytes.
  const char* end;
};
constexpr std::size_t kWorstBytes = 65'536;
constexpr Worst kWorst[] = {
    {"plain", "{\"data\":\"", "abcdefgh", "\"}"},
    {"newlines", "{\"data\":\"", "\\n", "\"}"},
    {"escapes", "{\"data\":\"", "\\\"", "\"}"},
    {"rare-escapes", "{\"data\":\"", "a\\t", "\"}"},
    {"unicode-escapes", "{\"data\":\"", "\\u20ac", "\"}"},
    {"pairs", "{\"data\":\"", "\\ud83d\\ude00", "\"}"},
    {"characters", "{\"data\":\"", "\xc3\xa9\\t", "\"}"},
    {"type", "{\"data\":0,\"type\":\"", "\\u0041", "\"}"},
    {"nearly-one", "{\"data\":\"", "\\t", "\"}}"},
    {"brackets", "{\"data\":", "[", "}"},
    {"numbers", "{\"data\":[", "0,", "0]}"},
    {"members", "{\"data\":{", "\"\":0,", "\"\":0}}"},
    {"lines", "", "\n", ""},
    {"not-utf8", "", "\xc3", ""},
};

std::string payload_of(const Worst& worst) {
  std::string payload = worst.begin;
  while (payload.size() < kWorstBytes) payload += worst.unit;
  return payload + worst.end;
}

// What the bus thread does with a message, but for the log.
void on_bus(benchmark::State& state, const std::string& payload) {
  const auto counter = std::make_shared<FrameBytes>();
  for (auto _ : state) {
    const Message message = parse_payload(payload, EnvelopeMode::kAuto);
    // Past the limit only its size is looked at.
    if (encoded_bytes(message) > kWorstBytes + 64) continue;
    benchmark::DoNotOptimize(Frame::of_message(message, "news", "gabcdefgh.1", counter));
  }
}

void make_frame(benchmark::State& state, const std::string& payload) {
  const auto counter = std::make_shared<FrameBytes>();
  const Message message = parse_payload(payload, EnvelopeMode::kAuto);
  const std::string epoch = make_epoch(1);
  Sequence sequence = 1'000'000;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Frame::of_message(message, "news", format_event_id(epoch, ++sequence), counter));
  }
}

// A log whose history is full, so that each append forgets one.
struct FullLog {
  explicit FullLog(std::size_t messages) : log(limits(messages)) {
    const Message message = parse_payload(payload_of(128), EnvelopeMode::kAuto);
    frame = Frame::of_message(message, "news", "gabcdefgh.1", std::make_shared<FrameBytes>());
    log.begin(1);
    for (std::size_t i = 0; i < messages; ++i) log.append(frame, ++sequence, {});
  }
  static ChannelLog::Limits limits(std::size_t messages) {
    return {.history_messages = messages,
            .history_bytes = 1 << 30,
            .history_age = std::chrono::minutes(5),
            .queue_messages = 10'000,
            .queue_bytes = 4 << 20};
  }

  ChannelLog log;
  FramePtr frame;
  Sequence sequence = 1;
};

void append(benchmark::State& state, std::size_t messages) {
  FullLog full(messages);
  for (auto _ : state) full.log.append(full.frame, ++full.sequence, {});
}

// What a shard does for a message: reads what is new, and makes the bytes for all its clients.
void read_new(benchmark::State& state, std::size_t messages) {
  FullLog full(messages + 100);
  const Cursor from = full.log.tail(messages, kAll).from;
  std::vector<LogEntry> entries;
  Batch batch;
  for (auto _ : state) {
    entries.clear();
    batch.clear();
    full.log.read(from, kAll, kBatchBytes, entries);
    for (const LogEntry& entry : entries) batch.add(*entry.frame, {}, "news");
    benchmark::DoNotOptimize(batch.bytes());
  }
}

// A client that comes back with a Last-Event-ID and reads everything since.
void catch_up(benchmark::State& state, std::size_t messages) {
  FullLog full(messages);
  std::vector<LogEntry> entries;
  for (auto _ : state) {
    Cursor cursor = full.log.find_in_history(2, kAll)->cursor;
    std::size_t read = 0;
    while (true) {
      entries.clear();
      const auto result = full.log.read(cursor, kAll, kBatchBytes, entries);
      read += entries.size();
      if (entries.empty() || !result.has_more) break;
      cursor = entries.back().at;
    }
    benchmark::DoNotOptimize(read);
  }
}

class NoBus : public Bus {
 public:
  void start() override {}
  void stop() override {}
  void subscribe(std::string) override {}
  void unsubscribe(std::string) override {}
  void record(std::string) override {}
  void publish(std::string, std::string, PublishDone) override {}
  BusState state() const override { return {}; }
};

// The whole way of a message through the hub, as the bus thread walks it; nobody has a channel open.
void through_hub(benchmark::State& state, std::size_t channels) {
  Config config;
  config.shards = 1;
  config.record = {"*"};
  config.max_channels = channels + 1;
  NoBus bus;
  Hub hub(config, 1);
  hub.set_bus(bus);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < channels; ++i) names.push_back("news." + std::to_string(i));
  const std::string payload = payload_of(128);
  BusListener& listener = hub.listener();
  for (const std::string& name : names) listener.on_message(name, payload);
  std::size_t next = 0;
  for (auto _ : state) {
    listener.on_message(names[next], payload);
    next = next + 1 == names.size() ? 0 : next + 1;
  }
}

void add(const char* name, const std::function<void(benchmark::State&)>& run) {
  auto* added = benchmark::RegisterBenchmark(name, [run](benchmark::State& state) { run(state); });
  if (const char* iterations = std::getenv("WEIR_BENCH_ITERATIONS"))
    added->Iterations(std::atoll(iterations));
}

}  // namespace

int main(int argc, char** argv) {
  add("envelope/no/128", [](auto& state) { parse(state, payload_of(128)); });
  add("envelope/yes/128", [](auto& state) { parse(state, enveloped(128)); });
  add("envelope/no/4096", [](auto& state) { parse(state, payload_of(4096)); });
  add("frame/128", [](auto& state) { make_frame(state, payload_of(128)); });
  add("frame/4096", [](auto& state) { make_frame(state, payload_of(4096)); });
  add("append/100", [](auto& state) { append(state, 100); });
  add("append/10000", [](auto& state) { append(state, 10'000); });
  add("read/1", [](auto& state) { read_new(state, 1); });
  add("read/100", [](auto& state) { read_new(state, 100); });
  add("catch-up/1000", [](auto& state) { catch_up(state, 1'000); });
  add("hub/1", [](auto& state) { through_hub(state, 1); });
  add("hub/1000", [](auto& state) { through_hub(state, 1'000); });
  for (const Worst& worst : kWorst) {
    add((std::string("worst/") + worst.name).c_str(),
        [&worst](auto& state) { on_bus(state, payload_of(worst)); });
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
