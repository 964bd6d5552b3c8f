// The gateway: places for clients, the open channels, the sequencer that appends to their logs, and the
// shards that send from them. No sockets, no Redis, no HTTP.
//
// Threads:   listener(), set_bus(), start() and stop() on main's; the listener's functions on the bus thread;
//            the rest on any.
// Ownership: the config outlives it. The bus outlives stop(); it may be destroyed before the hub.
// Limits:    those of its parts: Places, OpenChannels, Sequencer, MemoryBudget, HeldMemory.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/hub/gateway.h"

namespace weir {

struct ChannelRule;
struct Config;
class MetricsPage;

class Hub final : public Gateway {
 public:
  // `random` seeds epoch, jitter and the shards.
  Hub(const Config& config, std::uint64_t random);
  ~Hub() override;
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // The listener for the bus. The bus needs it at construction, so set_bus() comes later; call it once.
  BusListener& listener();
  void set_bus(Bus& bus);
  void start();
  // Ends the shards and closes the remaining clients.
  void stop();

  // The [[channel]] rules for channels that open later. An open channel keeps its own.
  void set_channel_rules(std::vector<ChannelRule> rules);

  // The number of streams that are open or about to be.
  std::size_t clients() const;
  // Admits nobody from now on, and closes the streams one by one over `duration`, each after everything
  // logged for it was flushed. A client that does not take it by then is reset. Calls `done`, on some thread,
  // once none is left.
  void drain(std::chrono::milliseconds duration, std::function<void()> done);

  // Housekeeping, about once a second: closes channels whose linger has passed, and forgets frames that are
  // older than history_seconds or past the memory limit.
  void tick(std::chrono::steady_clock::time_point now);

  // Adds this part's metrics, as a source for Metrics::add_source().
  void collect(MetricsPage& page) const;

  // Gateway
  Admission admit(const IpAddress& client) override;
  bool open_stream(StreamRequest request, Place place, int socket) override;
  bool fits(std::string_view channel, std::string_view payload) const override;
  void publish(std::string channel, std::string payload, std::string idempotency_key,
               Bus::PublishDone done) override;
  bool is_durable(std::string_view channel) const override;
  void read_history(HistoryQuery query, std::function<void(HistoryPage)> done) override;
  std::size_t subscribers(std::string_view channel) const override;
  ChannelInfo info(std::string_view channel) const override;
  std::vector<ChannelInfo> channels(std::size_t max) const override;
  std::size_t open_channels() const override;
  std::vector<SlowClient> slowest() const override;
  bool is_draining() const override;
  BusState bus_state() const override;

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace weir
