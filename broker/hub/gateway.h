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

// A page of a channel's history, for GET /channels/{channel}/messages.
struct HistoryQuery {
  std::string channel;
  // The id behind which the page begins, as the caller sent it; nullopt: the oldest message.
  std::optional<std::string> after;
  std::size_t messages_max = 0;  // At least 1.
};
struct HistoryMessage {
  std::string id;
  std::string type;        // Empty: untyped.
  std::string data;        // A JSON value, as a stream of ?form=json has it.
  std::uint64_t time = 0;  // When it was published, in Unix ms.
};
struct HistoryPage {
  enum class Outcome : std::uint8_t {
    kRead,
    kNoHistory,    // The channel is neither durable nor a stream.
    kBadId,        // `after` is no id of this channel.
    kUnavailable,  // Redis is away, or too many pages are being read.
    kRefused,      // Redis refuses to read the stream.
  };
  Outcome outcome = Outcome::kUnavailable;
  std::string why = {};
  std::vector<HistoryMessage> messages = {};
  std::string next = {};  // The id to go on with: of the last message, or `after` if there is none.
  // Messages between `after` and the first that are not there any more; nullopt if their number is unknown.
  std::optional<std::uint64_t> missed = 0;
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
  // Hands `payload` to the bus; see Bus::publish(). A durable channel's gets an id. `idempotency_key`, empty for
  // none, has a meaning there alone: a message with a key that was used is not published again.
  virtual void publish(std::string channel, std::string payload, std::string idempotency_key,
                       Bus::PublishDone done) = 0;
  // True if `channel` is durable by the settings: what is published gets an id.
  virtual bool is_durable(std::string_view channel) const = 0;
  // Reads a page of history. Calls `done` once, on some thread; it must not block.
  virtual void read_history(HistoryQuery query, std::function<void(HistoryPage)> done) = 0;

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
