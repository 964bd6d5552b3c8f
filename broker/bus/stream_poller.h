// The connection on which followed streams are read one by one, without BLOCK, and looked at by XINFO STREAM.
//
// A stream may be trimmed faster than it is read. So a read begins with the last entry that was read before:
// if that is there still, none is missing behind it. If it is not, the read is repeated with XINFO right
// behind it, whose numbers can tell (is_whole()), and so are the next ones, until such an entry is there.
// Since a read brings the old entry each time, a probe, which does not, finds out whether there is news.
//
// Threads:   the bus thread; any for commands_waiting(), why_not_up(), reads() and looks().
// Ownership: the host outlives this object.
// Limits:    kUnderWayMax commands are unanswered, so Redis keeps at most so many replies of about
//            kStreamReplyBytes for it. The others wait in order: a stream that always has more entries gets
//            its next read behind those of all others. The host queues at most one read or probe and two
//            looks of a stream. Commands whose turn is void are dropped at the latest when they are half of
//            those that wait.
// Failures:  an error that may pass counts as no news; one while a stream is looked at for the first
//            time ends the link. Any other one refuses the stream. Everything that waits is dropped with the
//            link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/tally.h"
#include "broker/bus/followed_stream.h"
#include "broker/bus/redis_connection.h"

namespace weir {

class StreamPoller : private RedisConnection::Owner {
 public:
  static constexpr std::size_t kUnderWayMax = 32;

  class Host {
   public:
    virtual ~Host() = default;
    virtual void on_poller_up() = 0;
    virtual void on_poller_down() = 0;
    // The streams of the answers are current.
    virtual void on_probed(const StreamTurn& turn, bool has_news) = 0;
    virtual void on_polled(const StreamTurn& turn, StreamBatch batch) = 0;
    // With FollowedStream::needs_look; `known` and `look` as on_looked().
    virtual void on_checked(const StreamTurn& turn, StreamBatch batch, const StreamLook& known,
                            const StreamLook& look) = 0;
    // `known` is what was known when the look was sent: only what is older than that was made anew.
    virtual void on_looked(const StreamTurn& turn, const StreamLook& known, const StreamLook& look) = 0;
    virtual void on_refused(const StreamTurn& turn, std::string_view why) = 0;
  };

  StreamPoller(asio::io_context& io, const RedisBusOptions& options, Host& host);

  void open();
  void close();
  bool is_open() const { return is_open_; }
  bool is_up() const { return connection_.is_up(); }
  std::string why_not_up() const { return connection_.why_not_up(); }

  // Queue a command; each is answered once, unless its turn or the link is over first. Requires is_up().
  void probe(StreamTurn turn);
  void read(StreamTurn turn);
  void look(StreamTurn turn);
  // Commands that are not sent yet.
  std::uint64_t commands_waiting() const { return commands_waiting_.value(); }
  // Looks that have no answer yet.
  std::size_t looks_waiting() const { return looks_waiting_; }

  const Tally& reads() const { return reads_; }
  const Tally& looks() const { return looks_; }

 private:
  enum class Kind {
    kIgnored,  // A PING, or a look whose read has failed.
    kProbe,
    kRead,
    kReadAndLook,  // A read. The next unanswered command is its look.
    kLookOfRead,
    kLook,
  };
  struct Command {
    Kind kind = Kind::kIgnored;
    StreamTurn turn = {};   // Of no stream: a PING.
    std::size_t count = 0;  // Of a read: as many entries were asked for.
    StreamLook known = {};  // Of a look.
  };

  void on_up() override { host_.on_poller_up(); }
  void on_reply(const redisReply& reply) override;
  void on_read() override { send(); }
  void on_ping_due() override;
  void on_written() override {}
  void on_down() override;

  void queue(Command command);
  void drop_void();
  void send();
  void send(Command command);
  void send_read(const FollowedStream& stream, StreamId after, std::size_t count);
  void send_look(Command command);
  void on_read_reply(const Command& command, const redisReply& reply);
  void on_look_reply(const Command& command, const StreamLook& look);
  void on_error(const Command& command, std::string_view text);
  void drop_all();

  const RedisBusOptions& options_;
  Host& host_;
  std::deque<Command> waiting_;
  std::deque<Command> unanswered_;
  StreamBatch batch_;  // Of a read, while its look has no answer.
  std::size_t looks_waiting_ = 0;
  bool is_open_ = false;
  std::size_t drop_void_at_ = 0;  // When so many wait.
  Tally commands_waiting_;
  Tally reads_;
  Tally looks_;
  RedisConnection connection_;
};

}  // namespace weir
