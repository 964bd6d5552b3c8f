// weir-load: measures any server that speaks SSE. Prints one JSON object.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/load/churn.h"
#include "bench/load/publisher.h"
#include "bench/load/receiver.h"
#include "bench/load/server_use.h"
#include "settings/settings.h"

namespace {

using namespace weir;
using namespace weir::bench;
using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct LoadSettings {
  std::string subscribe;
  std::string publish;
  std::string channel = "bench";
  std::uint32_t connections = 1'000;
  std::uint32_t channels = 1;
  std::uint32_t stalled = 0;
  std::uint32_t receivers = 1;
  std::uint32_t publishers = 8;
  bool publish_durable = false;
  std::uint32_t payload_bytes = 128;
  std::uint32_t rate = 0;
  std::uint32_t window = 256;
  std::uint32_t churn_per_second = 0;
  milliseconds churn_lifetime{500};
  seconds warm_up{1};
  seconds measure{5};
  seconds patience{30};
  std::vector<std::string> server_pids;
};

Result<SettingsTable::Outcome> read_settings(LoadSettings& settings, int argc, char** argv) {
  const auto is_address = [](const std::string& text) {
    const auto address = parse_address(text);
    return address ? std::string() : address.error().message;
  };
  SettingsTable table(
      "weir-load",
      "Measures an SSE server on this machine: opens connections, publishes, checks what each gets, and "
      "prints one JSON object.");
  table.section(
      "Server",
      {Setting::text("subscribe", settings.subscribe, "http://127.x.x.x:port/path, with {channel} in it.",
                     is_address)
           .required(),
       Setting::text(
           "publish", settings.publish,
           "redis://127.x.x.x:port, or http://127.x.x.x:port/path for a POST of each message. Without it "
           "connections are opened and measured, and nothing is published.",
           is_address),
       Setting::list("server-pid", settings.server_pids,
                     "A process whose CPU and memory is told (repeatable).")});
  table.section(
      "Clients",
      {Setting::integer("connections", settings.connections, {1, 100'000}, "connections",
                        "Clients that are checked."),
       Setting::text("channel", settings.channel, "The channel's name, or how the names of several begin."),
       Setting::integer("channels", settings.channels, {1, 1'000'000}, "channels",
                        "The connections are spread over them evenly."),
       Setting::integer("stalled", settings.stalled, {0, 10'000}, "connections",
                        "More of them, that read their head and then nothing."),
       Setting::integer("churn-per-second", settings.churn_per_second, {0, 10'000}, "connections",
                        "More of them, that come and go."),
       Setting::duration("churn-lifetime-ms", settings.churn_lifetime, {1, 600'000},
                         "How long each of these stays."),
       Setting::integer("receivers", settings.receivers, {1, 64}, "threads", "Threads that receive.")});
  table.section(
      "Messages",
      {Setting::integer("bytes", settings.payload_bytes, {kPayloadBytesMin, 1 << 20}, "bytes",
                        "Of one payload."),
       Setting::integer(
           "rate", settings.rate, {0, 1'000'000}, "messages/s",
           "Due at even times, from which latency counts; 0 is as fast as all clients receive them."),
       Setting::integer("window", settings.window, {1, 1'000'000}, "messages",
                        "At most so many are on their way; of a rate, 65536 more."),
       Setting::integer("publish-connections", settings.publishers, {1, 1'000}, "connections",
                        "Of HTTP publishing, one message at a time each."),
       Setting::flag("publish-durable", settings.publish_durable,
                     "Publish to Redis by FCALL weir_publish, as to durable channels.")});
  table.section("Time",
                {Setting::duration("warm-up-seconds", settings.warm_up, {0, 600}, "Published, not measured."),
                 Setting::duration("seconds", settings.measure, {1, 3'600}, "Published and measured."),
                 Setting::duration("patience-seconds", settings.patience, {1, 600},
                                   "The longest wait for connections, and for the last messages.")});
  return table.read(argc, argv, nullptr);
}

// All receivers as one.
struct Fleet {
  std::vector<std::unique_ptr<Receiver>> receivers;

  Received received() const {
    Received all;
    for (const auto& receiver : receivers) {
      const Received one = receiver->received();
      all.opened += one.opened, all.failed += one.failed, all.closed += one.closed;
      all.deliveries += one.deliveries, all.bytes += one.bytes;
      all.lost += one.lost, all.late += one.late, all.wrong += one.wrong;
    }
    return all;
  }
};

std::vector<Receiver::Client> plan_clients(const LoadSettings& settings) {
  std::vector<Receiver::Client> clients;
  for (std::uint32_t i = 0; i < settings.connections; ++i) clients.push_back({i % settings.channels, false});
  for (std::uint32_t i = 0; i < settings.stalled; ++i) clients.push_back({i % settings.channels, true});
  return clients;
}

double seconds_since(std::int64_t start_ns) { return static_cast<double>(now_ns() - start_ns) / 1e9; }

double own_cpu_seconds() {
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  const auto in_seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return in_seconds(use.ru_utime) + in_seconds(use.ru_stime);
}

// Polls: a measurement, whose numbers do not depend on when this notices.
template <typename Predicate>
bool wait_until(Predicate is_so, seconds patience) {
  const std::int64_t start = now_ns();
  while (!is_so()) {
    if (seconds_since(start) > static_cast<double>(patience.count())) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

struct Snapshot {
  std::int64_t at_ns = now_ns();
  Received received;
  std::uint64_t published = 0;
  ServerUse server;
  double own_cpu_seconds = 0;
};

Json latency_json(const Fleet& fleet) {
  Latencies all;
  for (const auto& receiver : fleet.receivers) all.add(receiver->latencies());
  return {{"count", all.count()},
          {"p50_ms", all.milliseconds_at(0.50)},
          {"p90_ms", all.milliseconds_at(0.90)},
          {"p99_ms", all.milliseconds_at(0.99)},
          {"p999_ms", all.milliseconds_at(0.999)},
          {"max_ms", all.milliseconds_max()}};
}

class Run {
 public:
  Run(const LoadSettings& settings, Address subscribe, Address publish)
      : settings_(settings),
        subscribe_(std::move(subscribe)),
        publish_(std::move(publish)),
        progress_(clients_of(settings), settings.window + (settings.rate > 0 ? 65'536 : 0)) {
    for (std::uint32_t i = 0; i < settings.channels; ++i) {
      channels_.push_back(settings.channels == 1 ? settings.channel
                                                 : settings.channel + "." + std::to_string(i));
    }
  }

  // False, with the reason in "error", if the server did not do what it should.
  bool run() {
    report_["connections"] = settings_.connections;
    report_["channels"] = settings_.channels;
    report_["stalled"] = settings_.stalled;
    report_["payload_bytes"] = settings_.payload_bytes;
    try {
      connect();
      if (settings_.churn_per_second > 0) {
        churn_ = std::make_unique<Churn>(subscribe_, path_of(subscribe_, channels_[0]),
                                         settings_.churn_per_second, settings_.churn_lifetime);
      }
      settings_.publish.empty() ? stay() : publish();
    } catch (const std::exception& error) {
      report_["error"] = error.what();
    }
    return !report_.contains("error");
  }

  const Json& report() const { return report_; }

 private:
  static std::vector<std::uint32_t> clients_of(const LoadSettings& settings) {
    std::vector<std::uint32_t> counts(settings.channels);
    for (std::uint32_t i = 0; i < settings.connections; ++i) ++counts[i % settings.channels];
    return counts;
  }

  void connect() {
    const ServerUse before = server();
    const std::uint64_t kernel_before = kernel_socket_bytes();
    std::vector<std::string> paths;
    for (const std::string& channel : channels_) paths.push_back(path_of(subscribe_, channel));
    const auto clients = plan_clients(settings_);
    const std::int64_t start = now_ns();
    for (std::uint32_t i = 0; i < settings_.receivers; ++i) {
      Receiver::Plan plan{subscribe_, paths, {}, 1 + i * 16};
      for (std::size_t n = i; n < clients.size(); n += settings_.receivers)
        plan.clients.push_back(clients[n]);
      fleet_.receivers.push_back(std::make_unique<Receiver>(std::move(plan), progress_, [this] {
        if (Publisher* publisher = woken_.load(std::memory_order_acquire)) publisher->wake();
      }));
    }
    const bool is_whole = wait_until(
        [&] {
          const Received now = fleet_.received();
          return now.opened + now.failed >= clients.size();
        },
        settings_.patience);
    report_["connect_seconds"] = seconds_since(start);
    const Received now = fleet_.received();
    report_["opened"] = now.opened;
    report_["failed"] = now.failed;
    if (!is_whole || now.failed > 0 || now.closed > 0) {
      for (const auto& receiver : fleet_.receivers) receiver->stop();
      throw std::runtime_error("not every connection was opened: " + fleet_.receivers[0]->first_error());
    }
    std::this_thread::sleep_for(seconds(1));  // What a server does a little later, such as freeing.
    at_rest_ = server();
    const auto each = static_cast<double>(clients.size());
    report_["memory_bytes_per_connection"] =
        (static_cast<double>(at_rest_.memory_bytes) - static_cast<double>(before.memory_bytes)) / each;
    report_["kernel_bytes_per_connection"] =
        (static_cast<double>(kernel_socket_bytes()) - static_cast<double>(kernel_before)) / each;
  }

  // Connections and no messages.
  void stay() {
    const Snapshot begin = snapshot();
    std::this_thread::sleep_for(settings_.measure);
    const Snapshot end = snapshot();
    report_use(begin, end);
    report_received();
  }

  void publish() {
    Publisher::Plan plan{publish_,
                         channels_,
                         settings_.publish_durable,
                         settings_.payload_bytes,
                         static_cast<double>(settings_.rate),
                         settings_.publishers};
    publisher_ = std::make_unique<Publisher>(std::move(plan), progress_);
    woken_.store(publisher_.get(), std::memory_order_release);
    const std::int64_t measured_from = now_ns() + std::chrono::nanoseconds(settings_.warm_up).count();
    for (const auto& receiver : fleet_.receivers) receiver->measure_from(measured_from);
    std::this_thread::sleep_for(settings_.warm_up);
    const Snapshot begin = snapshot();
    std::this_thread::sleep_for(settings_.measure);
    const Snapshot end = snapshot();
    const std::string error = publisher_->stop();
    const bool is_complete =
        wait_until([&] { return progress_.completed() == progress_.published(); }, settings_.patience);
    for (const auto& receiver : fleet_.receivers) receiver->stop();
    if (churn_) churn_->stop();

    const double took = static_cast<double>(end.at_ns - begin.at_ns) / 1e9;
    const auto deliveries = static_cast<double>(end.received.deliveries - begin.received.deliveries);
    report_["messages_per_second"] = static_cast<double>(end.published - begin.published) / took;
    report_["deliveries_per_second"] = deliveries / took;
    report_use(begin, end);
    if (deliveries > 0) {
      report_["server_cpu_us_per_delivery"] =
          (end.server.cpu_seconds - begin.server.cpu_seconds) / deliveries * 1e6;
      report_["load_cpu_us_per_delivery"] = (end.own_cpu_seconds - begin.own_cpu_seconds) / deliveries * 1e6;
    }
    if (settings_.rate > 0) report_["latency"] = latency_json(fleet_);
    report_received();
    if (!error.empty()) throw std::runtime_error(error);
    if (!is_complete) {
      throw std::runtime_error(std::to_string(progress_.published() - progress_.completed()) +
                               " messages did not reach all clients");
    }
  }

  void report_use(const Snapshot& begin, const Snapshot& end) {
    const double took = static_cast<double>(end.at_ns - begin.at_ns) / 1e9;
    report_["server_cores"] = (end.server.cpu_seconds - begin.server.cpu_seconds) / took;
    report_["load_cores"] = (end.own_cpu_seconds - begin.own_cpu_seconds) / took;
    report_["memory_growth_bytes"] =
        static_cast<std::int64_t>(end.server.memory_bytes) - static_cast<std::int64_t>(at_rest_.memory_bytes);
  }

  void report_received() {
    const Received all = fleet_.received();
    report_["lost"] = all.lost;
    report_["late"] = all.late;
    report_["wrong"] = all.wrong;
    report_["closed"] = all.closed;
    if (churn_) report_["churn"] = {{"opened", churn_->opened()}, {"failed", churn_->failed()}};
  }

  ServerUse server() const {
    if (settings_.server_pids.empty()) return {};
    auto use = use_of(settings_.server_pids);
    if (!use) throw std::runtime_error(use.error().message);
    return *use;
  }

  Snapshot snapshot() const {
    return {now_ns(), fleet_.received(), progress_.published(), server(), own_cpu_seconds()};
  }

  const LoadSettings settings_;
  const Address subscribe_;
  const Address publish_;
  std::vector<std::string> channels_;
  Progress progress_;
  std::unique_ptr<Publisher> publisher_;
  std::atomic<Publisher*> woken_{nullptr};  // The same, for the receivers.
  Fleet fleet_;                             // Ends before the publisher that it wakes.
  std::unique_ptr<Churn> churn_;
  ServerUse at_rest_;
  Json report_;
};

}  // namespace

int main(int argc, char** argv) {
  LoadSettings settings;
  const auto outcome = read_settings(settings, argc, argv);
  if (!outcome) {
    std::fprintf(stderr, "%s\n", outcome.error().message.c_str());
    return 2;
  }
  if (outcome->text) {
    std::fputs(outcome->text->c_str(), stdout);
    return 0;
  }
  const auto subscribe = parse_address(settings.subscribe);
  const auto publish =
      settings.publish.empty() ? Result<Address>(Address()) : parse_address(settings.publish);
  if (subscribe->scheme != "http") {
    std::fprintf(stderr, "subscribe = \"%s\": must be an http:// address\n", settings.subscribe.c_str());
    return 2;
  }
  Run run(settings, *subscribe, *publish);
  const bool is_well = run.run();
  std::printf("%s\n", run.report().dump().c_str());
  return is_well ? 0 : 1;
}
