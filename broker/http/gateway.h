// What http/ needs of the gateway behind it: the Hub, seen from here. Tests put a fake in its place; main and
// everything else use HubGateway.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/hub/hub.h"

namespace weir {

// Threads: all functions may be called from any thread and never block. The contracts are those of hub.h.
class Gateway {
 public:
  virtual ~Gateway() = default;
  virtual Hub::Admission admit(const IpAddress& client) = 0;
  virtual bool open_stream(StreamRequest request, int socket) = 0;
  virtual bool fits(std::string_view channel, std::string_view payload) const = 0;
  virtual void publish(std::string channel, std::string payload, Bus::PublishDone done) = 0;
  virtual std::size_t subscribers(std::string_view channel) const = 0;
  virtual ChannelInfo info(std::string_view channel) const = 0;
  virtual std::vector<ChannelInfo> channels(std::size_t max) const = 0;
  virtual std::vector<SlowClient> slowest() const = 0;
  virtual bool is_draining() const = 0;
  virtual BusState bus_state() const = 0;
};

// The hub outlives it.
class HubGateway final : public Gateway {
 public:
  explicit HubGateway(Hub& hub) : hub_(hub) {}
  Hub::Admission admit(const IpAddress& client) override { return hub_.admit(client); }
  bool open_stream(StreamRequest request, int socket) override {
    return hub_.open_stream(std::move(request), socket);
  }
  bool fits(std::string_view channel, std::string_view payload) const override {
    return hub_.fits(channel, payload);
  }
  void publish(std::string channel, std::string payload, Bus::PublishDone done) override {
    hub_.publish(std::move(channel), std::move(payload), std::move(done));
  }
  std::size_t subscribers(std::string_view channel) const override { return hub_.subscribers(channel); }
  ChannelInfo info(std::string_view channel) const override { return hub_.info(channel); }
  std::vector<ChannelInfo> channels(std::size_t max) const override { return hub_.channels(max); }
  std::vector<SlowClient> slowest() const override { return hub_.slowest(); }
  bool is_draining() const override { return hub_.is_draining(); }
  BusState bus_state() const override { return hub_.bus_state(); }

 private:
  Hub& hub_;
};

}  // namespace weir
