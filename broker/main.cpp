// weir-broker: reads the settings, builds the parts, runs until SIGTERM or SIGINT, drains.
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "broker/api/admin_routes.h"
#include "broker/api/admin_token.h"
#include "broker/api/away_routes.h"
#include "broker/api/options.h"
#include "broker/api/routes.h"
#include "broker/auth/key_store.h"
#include "broker/auth/token_verifier.h"
#include "broker/base/logging.h"
#include "broker/base/metrics.h"
#include "broker/bus/memory_bus.h"
#include "broker/bus/redis_bus.h"
#include "broker/config.h"
#include "broker/healthcheck.h"
#include "broker/http/server.h"
#include "broker/hub/hub.h"
#include "broker/live_settings.h"
#include "broker/selftest.h"
#include "process/descriptor_limit.h"
#include "process/standard_descriptors.h"
#include "process/usage.h"
#include "settings/settings.h"

namespace weir {
namespace {

// Exit codes: unusable settings; a --healthcheck or --selftest that fails. 0 is a clean end.
constexpr int kExitBadSettings = 2;
constexpr int kExitNotReady = 1;
// How long the end of the process waits for the reader of the log.
constexpr std::chrono::seconds kLogFlush{1};
constexpr std::chrono::seconds kTick{1};
#ifdef __clang__
constexpr const char* kCompiler = "clang " __clang_version__;
#else
constexpr const char* kCompiler = "gcc " __VERSION__;
#endif
// The time beyond --drain-seconds for requests in progress, and for clients that were told the end.
constexpr std::chrono::seconds kGrace{2};

std::uint64_t random_number() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

Result<std::unique_ptr<Bus>> make_bus(const Config& config, BusListener& listener) {
  const BusLimits limits{.message_bytes_max = config.max_message_bytes,
                         .publishes_waiting_max = config.max_publishes_waiting,
                         .publishes_waiting_bytes_max = config.request_memory_bytes};
  if (config.away) {
    log_info("answering for gateways that are not ready");
    return make_memory_bus(limits, listener);
  }
  if (!uses_redis(config)) {
    log_info(
        "messages come from this process alone, without a Redis (bus memory): publish over HTTP, or set "
        "--redis-url");
    return make_memory_bus(limits, listener);
  }
  auto url = parse_redis_url(config.redis_url);
  if (!url) return Error{"redis-url: " + url.error().message};
  RedisBusOptions options{.url = std::move(*url),
                          .files = config.redis_files,
                          .prefix = config.redis_prefix,
                          .limits = limits,
                          .publish_timeout = config.publish_timeout};
  options.installs_function = has_channels_from(config, ChannelSource::kDurable);
  options.has_streams = options.installs_function || has_channels_from(config, ChannelSource::kStream);
  log_info("messages come from Redis at " + options.url.redacted());
  return make_redis_bus(std::move(options), listener);
}

// What the process uses, and what it is.
void collect_process(MetricsPage& page) {
  page.add(Metric::kBuildInfo, 1, std::string(kVersion) + "," + kCompiler);
  const ProcessUsage usage = process_usage();
  page.add(Metric::kResidentMemory, usage.resident_bytes);
  page.add(Metric::kProcessorSeconds, usage.processor_seconds);
  page.add(Metric::kOpenDescriptors, usage.open_descriptors);
  page.add(Metric::kDescriptorsLimit, usage.descriptors_max);
  page.add(Metric::kStartTime, usage.started_at);
  if (const auto memory = memory_limit()) {
    page.add(Metric::kContainerMemory, memory->used_bytes);
    page.add(Metric::kContainerMemoryLimit, memory->limit_bytes);
  }
}

// "127.0.0.1:8080" with the bound port, as a URL that a person can open.
std::string url_of(const std::string& listen, std::uint16_t port) {
  const auto address = parse_listen_address(listen);
  std::string host = address ? address->host : std::string();
  if (host.empty()) host = "0.0.0.0";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "http://" + host + ":" + std::to_string(port);
}

// Waits for SIGTERM or SIGINT and keeps house meanwhile; then drains. A second signal ends the drain. SIGHUP
// reads the settings again, even during the drain.
class MainLoop {
 public:
  MainLoop(Hub& hub, KeyStore& keys, LiveSettings& settings, std::chrono::seconds drain)
      : hub_(hub), keys_(keys), settings_(settings), drain_(drain) {}

  void run() {
    wait_tick();
    wait_hangup();
    signals_.async_wait([this](const asio::error_code& error, int signal) {
      if (!error) drain(signal);
    });
    loop_.run();
  }

 private:
  void wait_tick() {
    timer_.expires_after(kTick);
    timer_.async_wait([this](const asio::error_code& error) {
      if (error) return;
      hub_.tick(std::chrono::steady_clock::now());
      keys_.poll();
      wait_tick();
    });
  }

  void wait_hangup() {
    hangups_.async_wait([this](const asio::error_code& error, int) {
      if (error) return;
      settings_.reload();
      wait_hangup();
    });
  }

  void drain(int signal) {
    log_info(std::string(signal == SIGTERM ? "SIGTERM" : "SIGINT") + ": draining " +
             std::to_string(hub_.clients()) + " streams over " + std::to_string(drain_.count()) + " s");
    deadline_.expires_after(drain_ + kGrace);
    deadline_.async_wait([this](const asio::error_code& error) {
      if (!error) loop_.stop();
    });
    signals_.async_wait([this](const asio::error_code& error, int) {
      if (!error) loop_.stop();
    });
    hub_.drain(drain_, [this] { loop_.stop(); });
  }

  Hub& hub_;
  KeyStore& keys_;
  LiveSettings& settings_;
  const std::chrono::seconds drain_;
  asio::io_context loop_{1};
  asio::signal_set signals_{loop_, SIGTERM, SIGINT};
  asio::signal_set hangups_{loop_, SIGHUP};
  asio::steady_timer timer_{loop_};
  asio::steady_timer deadline_{loop_};
};

int run(const CommandLine& line, LiveSettings::Read read_again) {
  const Config& config = line.config;
  const std::uint64_t random = random_number();
  Metrics metrics;
  KeyStore keys({config.jwt_secret_file, config.jwt_public_key_file, config.jwks_file});
  if (const auto error = keys.load()) {
    std::fprintf(stderr, "weir-broker: %s\n", error->message.c_str());
    return kExitBadSettings;
  }
  if (!config.admin_token_file.empty()) {
    if (const auto token = read_admin_token(config.admin_token_file); !token) {
      std::fprintf(stderr, "weir-broker: admin-token-file: %s\n", token.error().message.c_str());
      return kExitBadSettings;
    }
  }
  // Behind the mistakes that end it with one line.
  log_info(std::string("weir-broker ") + kVersion + " starts",
           {{"settings", changed_settings(config)}, {"channel_rules", config.channel_rules.size()}});
  const TokenVerifier verifier(keys, config.jwt_audience);
  Hub hub(config, random);
  auto bus = make_bus(config, hub.listener());
  if (!bus) {
    std::fprintf(stderr, "weir-broker: %s\n", bus.error().message.c_str());
    return kExitBadSettings;
  }
  hub.set_bus(**bus);
  const bool has_tokens = has_keys(config);
  Routes routes(route_options(config, random, has_tokens), hub, metrics, has_tokens ? &verifier : nullptr);
  AwayRoutes away_routes(route_options(config, random, has_tokens).access, random);
  Handler& public_routes = config.away ? static_cast<Handler&>(away_routes) : routes;
  AdminRoutes admin_routes(admin_options(config), hub, metrics);
  HttpServer http(server_options(config), public_routes, admin_routes, metrics);
  metrics.add_source([&](MetricsPage& page) {
    keys.collect(page);
    hub.collect(page);
    http.collect(page);
    page.add(Metric::kLogLinesLost, lost_log_lines());
    collect_process(page);
  });
  // Before the first thread, so that all of them leave the signals to this loop.
  LiveSettings settings(line, std::move(read_again), keys, hub);
  MainLoop loop(hub, keys, settings, config.drain);
  hub.start();
  (*bus)->start();
  if (const auto started = http.start(); !started) {
    std::fprintf(stderr, "weir-broker: %s\n", started.error().message.c_str());
    (*bus)->stop();
    hub.stop();
    return kExitBadSettings;
  }
  log_info("listening on " + url_of(config.listen, http.port()) + config.base_path);
  log_info("admin on " + url_of(config.admin_listen, http.admin_port()));
  loop.run();
  http.wind_down(kGrace);
  (*bus)->stop();  // Waiting publishes are answered now, as unavailable or unknown.
  http.stop(kGrace);
  hub.stop();
  log_info("ended");
  return 0;
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  weir::open_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  const auto command = weir::read_settings(argc, argv, environ);
  if (!command) {
    std::fprintf(stderr, "weir-broker: %s\n", command.error().message.c_str());
    return weir::kExitBadSettings;
  }
  if (command->text) {
    std::fputs(command->text->c_str(), stdout);
    return 0;
  }
  if (command->config.healthcheck) {
    const auto reason = weir::why_not_ready(command->config.admin_listen);
    if (reason) std::fprintf(stderr, "weir-broker: %s\n", reason->c_str());
    return reason ? weir::kExitNotReady : 0;
  }
  if (command->config.sleep.count() > 0) {
    std::this_thread::sleep_for(command->config.sleep);
    return 0;
  }
  if (!command->config.selftest.empty()) {
    weir::start_logging(command->config.log_level, command->config.log_format);
    const auto reason =
        weir::why_selftest_fails(command->config, "weir-" + std::to_string(weir::random_number()));
    if (reason) std::fprintf(stderr, "weir-broker: %s\n", reason->c_str());
    std::puts(reason ? "the message did not come" : "the message came");
    return reason ? weir::kExitNotReady : 0;
  }
  // Until the main loop handles it: the settings have just been read.
  std::signal(SIGHUP, SIG_IGN);
  weir::start_logging(command->config.log_level, command->config.log_format);
  weir::start_log_writer();
  for (const std::string& warning : command->warnings) weir::log_warning(warning);
  weir::raise_descriptor_limit();
  const auto read_again = [&](const weir::ChannelSettings* general) {
    return weir::read_settings(argc, argv, environ, general);
  };
  const int status = weir::run(*command, read_again);
  weir::flush_log(weir::kLogFlush);
  return status;
}
