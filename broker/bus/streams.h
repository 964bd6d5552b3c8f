// Channels that have a history in Redis, in a Redis Stream: durable ones, which weir_publish (redis/weir.lua) fills
// and announces, and followed ones, which an application fills by XADD. DESIGN of both: docs/durable.md.
//
// This is the half of a bus that a bus without Redis has not (Bus::streams()). It moves entries and says what
// happened; the hub decides what is missing (hub/stream_filler.h).
//
// Threads:   any for subscribe(), unsubscribe(), publish() and read(), which never block; the bus thread for
//            follow(). The listener's functions and all completions run on the bus thread, one at a time.
// Ownership: the listener outlives the bus.
// Source:    Redis Streams, Redis Functions, sharded pub/sub (Redis 7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/bus/bus.h"
#include "proto/stream_id.h"

namespace weir {

// Where the history of a channel lies in Redis, and who fills it.
struct StreamSource {
  enum class Kind : std::uint8_t { kDurable, kFollowed };
  Kind kind = Kind::kDurable;
  // kFollowed: the stream's name without the prefix. A durable channel's is "weir:{<prefix><channel>}".
  std::string key = {};
  // kFollowed: the field that is the payload. An entry without it becomes a JSON object of its fields.
  std::string data_field = "data";
};

// An entry of a stream.
struct StreamEntry {
  StreamId id;
  std::uint64_t time = 0;  // When it was published, in Unix ms.
  std::string payload;
  std::string type = {};      // kFollowed: the field `type`; empty if there is none.
  bool is_too_large = false;  // Larger than BusLimits::message_bytes_max: `payload` is empty.
};

// The most connections that reading followed streams takes.
inline constexpr std::size_t kFollowConnectionsMax = 65;

inline constexpr StreamId kStreamEnd{~std::uint64_t{0}, ~std::uint64_t{0}};

// One read of a stream: from `first` upwards, or from `last` downwards, both included.
struct StreamRead {
  std::string channel;
  StreamSource source;
  StreamId first = kStreamBegin;
  StreamId last = kStreamEnd;
  bool is_downwards = false;
  std::size_t count = 1;  // At most so many entries; 0: none.
  // Also the id that was given last, which is known even if every entry was trimmed (XINFO STREAM). It is asked
  // for first: entries that came in between lie behind it.
  bool wants_end = false;
};
struct StreamReadResult {
  enum class Outcome : std::uint8_t {
    kRead,
    kAway,     // Redis is away, or too many reads wait. Read again after on_readable(true).
    kRefused,  // Redis refuses for as long as nobody changes it: an ACL forbids it, or the key is no stream.
  };
  Outcome outcome = Outcome::kAway;
  std::string why = {};                   // If it is not kRead: one line.
  std::vector<StreamEntry> entries = {};  // In the order asked for.
  // With wants_end: nullopt if there is no stream; and whether it has had entries that are not there any more.
  std::optional<StreamId> end = {};
  bool is_trimmed = false;
};

// A message for a durable channel.
struct DurableMessage {
  std::string channel;
  std::string payload;
  std::uint64_t messages_max;        // The stream keeps about this many, the newest.
  std::uint64_t seconds_max;         // The stream ends so long after its last message; 0: never.
  std::string idempotency_key = {};  // Empty: none.
};

class StreamListener {
 public:
  virtual ~StreamListener() = default;
  // A durable channel: its announcements arrive from now on. A followed one: its stream can be read. Called
  // again after each loss.
  virtual void on_stream_subscribed(std::string_view channel) = 0;
  // Nothing more arrives until the next on_stream_subscribed(): the connection was lost, or a followed stream
  // was trimmed before it could be read.
  virtual void on_stream_lost(std::string_view channel) = 0;
  // The same, if it is not lost already, and a followed stream was deleted, or made anew: what is behind the
  // last entries is not theirs.
  virtual void on_stream_made_anew(std::string_view channel) = 0;
  // The bus refuses the channel for good: an ACL forbids it, or Redis is older than version 7.
  virtual void on_stream_refused(std::string_view channel, std::string_view why) = 0;
  // An entry of a durable channel, as it was announced. Announcements may be lost, doubled or forged: the ids
  // decide.
  virtual void on_announced(std::string_view channel, StreamEntry entry) = 0;
  // Entries of a followed stream, each behind the one before, the first behind what follow() was given.
  virtual void on_followed(std::string_view channel, std::vector<StreamEntry> entries) = 0;
  // Streams can be read, or no longer. At first they can't. That they can is said once more when reads were
  // refused for their number, and there is room again.
  virtual void on_readable(bool is_readable) = 0;
};

class Streams {
 public:
  using ReadDone = std::function<void(StreamReadResult)>;

  virtual ~Streams() = default;

  // Call it once, before the bus starts.
  virtual void set_listener(StreamListener& listener) = 0;

  // Asks for a channel; on_stream_subscribed() follows. Of a durable one plain messages arrive, too
  // (BusListener::on_message()). Calls for one channel do not nest: one unsubscribe() ends it.
  virtual void subscribe(std::string channel, StreamSource source) = 0;
  virtual void unsubscribe(std::string channel) = 0;

  // Appends and announces; as Bus::publish(), with PublishResult::id.
  virtual void publish(DurableMessage message, Bus::PublishDone done) = 0;

  // Calls `done` once, on the bus thread: there it may be called before read() returns. Reading never stands in
  // front of publishing: it has a connection of its own.
  virtual void read(StreamRead read, ReadDone done) = 0;

  // Brings the entries behind `after` of a followed channel by on_followed(), until on_stream_lost() or
  // unsubscribe(). Bus thread only, from on_stream_subscribed() on.
  virtual void follow(std::string_view channel, StreamId after) = 0;
};

}  // namespace weir
