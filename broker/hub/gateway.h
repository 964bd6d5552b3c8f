// The gateway as the HTTP side sees it: places for clients, streams, publishing, and facts about channels.
// The Hub implements it; tests replace it by a fake.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/bus/bus.h"
#include "broker/fanout/slow_client.h"
#include "broker/fanout/stream_request.h"

namespace weir {

// A client's place among max_clients: taken before the response, given back by the destructor.
class Place {
 public:
  Place() = default;
  explicit Place(std::function<void()> give_back) : give_back_(std::move(give_back)) {}
  Place(Place&& other) noexcept : give_back_(std::exchange(other.give_back_, nullptr)) {}
  Place& operator=(Place&& other) noexcept {
    std::swap(give_back_, other.give_back_);
    return *this;
  }
  ~Place() {
    if (give_back_) give_back_();
  }

 private:
  std::function<void()> give_back_;
};

// The reason why a client gets no place.
enum class NoPlace {
  kClients,            // max_clients is reached.
  kClientsPerAddress,  // max_clients_per_address is reached.
  kConnectsPerSecond,  // max_connects_per_second is reached.
  kDraining,
};

struct ChannelInfo {
  std::string name;
  std::size_t subscribers = 0;
  std::string last_id;  // Empty before the first message.
  std::size_t log_messages = 0;
  std::size_t log_bytes = 0;
  bool is_live = false;  // The bus has acknowledged its subscription.
};

// Threads: call every function from any thread; none blocks.
class Gateway {
 public:
  virtual ~Gateway() = default;

  // Takes a place for one more client of this address, or tells why there is none.
  struct Admission {
    std::optional<Place> place;
    std::optional<NoPlace> why_not = {};  // Set if there is no place.
  };
  virtual Admission admit(const IpAddress& client) = 0;

  // Takes over `socket`, a connected, non-blocking descriptor on which nothing of the response was
  // sent. Sends the head when the bus has acknowledged all channels, or after 2 s, and streams from
  // then on. Returns false if a channel cannot be opened, since too many are: the caller keeps the
  // descriptor, and the place is given back.
  virtual bool open_stream(StreamRequest request, Place place, int socket) = 0;

  // True if `payload`, and its size on the wire (encoded_bytes()), stay within max_message_bytes.
  virtual bool fits(std::string_view channel, std::string_view payload) const = 0;
  // Hands `payload` to the bus; see Bus::publish().
  virtual void publish(std::string channel, std::string payload, Bus::PublishDone done) = 0;

  // The number of streams that follow `channel` on this gateway.
  virtual std::size_t subscribers(std::string_view channel) const = 0;
  // The facts about `channel`; zeros if it is not open here.
  virtual ChannelInfo info(std::string_view channel) const = 0;
  // At most `max` of the open channels, most subscribers first.
  virtual std::vector<ChannelInfo> channels(std::size_t max) const = 0;
  // How many are open, of all.
  virtual std::size_t open_channels() const = 0;
  // At most kSlowestMax of the clients that wait for their socket, the slowest first; up to a second old.
  virtual std::vector<SlowClient> slowest() const = 0;
  virtual bool is_draining() const = 0;
  virtual BusState bus_state() const = 0;
};

}  // namespace weir
