// One connection to Redis that keeps itself up: it connects with a deadline, logs in and asks for signs of
// life. After a loss it tries again with a doubling, jittered wait, for as long as it is open. hiredis
// parses; the bytes move over an asio socket.
//
// A connect counts only after Redis' first answer: a stopped Redis still accepts connections. One deadline
// covers the whole of it: the name, TCP, TLS (tls_stream.h), the login, the answer. Password and certificates
// are read from their files each time. A server that sends nothing for answer_timeout after a PING is dead,
// whatever TCP thinks. Any byte is a sign of life, since the answer may follow megabytes of messages.
//
// Threads:   the bus thread, which runs the io_context, for everything but why_not_up().
// Ownership: the owner outlives this object. Handlers of an earlier link do nothing.
// Limits:    hands over what it reads at once and keeps nothing. The owner bounds the bytes that
//            wait to be written (unsent_bytes()).
#pragma once

#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/bus/oversize_filter.h"
#include "broker/bus/redis_bus.h"
#include "broker/bus/tls_stream.h"
#include "process/backoff.h"

struct redisReader;
struct redisReply;

namespace weir {

// A bulk string may be this much larger than message_bytes_max and still be parsed, so that the owner judges
// its length. A larger one is never collected. Commands and channel names fit under any setting.
inline constexpr std::size_t kOversizeSlackBytes = 64 << 10;

class RedisConnection {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Redis has answered, and nothing is under way. Send what there is.
    virtual void on_up() = 0;
    // The next reply or message, valid during the call. A nil replaces a bulk string that was far too large.
    virtual void on_reply(const redisReply& reply) = 0;
    // Everything from one read has been handed over.
    virtual void on_read() = 0;
    // Send a PING now, and expect its answer among the others.
    virtual void on_ping_due() = 0;
    // Everything that was sent has been written.
    virtual void on_written() = 0;
    // The link was up and is lost. Unanswered commands get no answer. A new link is under way.
    virtual void on_down() = 0;
  };

  // `role` names the connection in logs.
  RedisConnection(asio::io_context& io, const RedisBusOptions& options, std::string role, Owner& owner);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  // Connects, and keeps connecting until close().
  void open();
  // Ends it for good. No call of the owner follows.
  void close();
  // Treats the present link as lost, for the reason `why`.
  void fail(std::string_view why);
  bool is_up() const { return is_up_; }
  // The last failure while it is not up; empty while it is up or connects for the first time. Any thread.
  std::string why_not_up() const;

  // Queues one command; its words may hold any bytes. Requires is_up(). flush() writes the queue.
  void send(std::span<const std::string_view> words);
  // The same with `large` as one more word, and those `behind` it. A large one is moved, not copied; its memory is
  // freed once the kernel has taken it.
  void send(std::span<const std::string_view> words, std::string large,
            std::span<const std::string_view> behind = {});
  void flush();
  // Bytes that are queued and not yet taken by the kernel.
  std::size_t unsent_bytes() const { return unsent_bytes_; }

 private:
  // The number of a link. A handler compares it to see whether its own link is over.
  using Link = std::uint64_t;
  using Endpoint = asio::generic::stream_protocol::endpoint;

  void connect();
  void connect_by_name(Link link);
  void connect_to(Link link, std::vector<Endpoint> endpoints);
  void start_tls(Link link);
  void greet();
  void on_greeting_reply(const redisReply& reply);
  void read();
  void on_read(Link link, asio::error_code error, std::string_view bytes);
  void on_written(Link link, asio::error_code error);
  std::string why_closed(asio::error_code error) const;
  void take_bytes(std::string_view received);
  void parse(std::string_view bytes);
  void arm_ping();
  void arm_deadline(const char* what);
  void set_failure(std::string_view why);
  void append(std::string_view bytes);
  void append_words(std::span<const std::string_view> words);
  void drop_unsent();
  void drop_link();
  void retry_later();

  const RedisBusOptions& options_;
  const std::string role_;
  Owner& owner_;
  // With TLS: moved into tls_ once it is connected.
  asio::generic::stream_protocol::socket socket_;
  std::unique_ptr<TlsStream> tls_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer retry_timer_;
  asio::steady_timer ping_timer_;
  asio::steady_timer deadline_timer_;
  std::mt19937_64 random_;
  Backoff backoff_;

  bool is_open_ = false;
  bool is_up_ = false;
  bool is_ping_unanswered_ = false;
  const char* awaited_ = "";  // The deadline is for this.
  Link link_ = 0;
  unsigned attempts_ = 0;  // In a row, without a link that lasted.
  std::chrono::steady_clock::time_point up_since_;
  std::size_t greetings_left_ = 0;
  std::string password_;
  mutable Mutex failure_mutex_;  // Leaf lock.
  // Logged, and logged again only when another reason comes.
  std::string last_failure_ GUARDED_BY(failure_mutex_);

  struct ReaderDeleter {
    void operator()(redisReader* reader) const;
  };
  std::unique_ptr<redisReader, ReaderDeleter> reader_;
  OversizeFilter filter_;
  std::vector<char> read_buffer_;
  std::vector<std::string_view> passed_;  // filter_'s output, kept for its memory.
  // The bytes to write, in pieces: of kPieceBytes at most, or one large word. A command may begin in
  // one and end in another.
  std::deque<std::string> queued_;
  std::string in_write_;
  std::string spare_;  // An empty piece, kept for its memory.
  std::size_t unsent_bytes_ = 0;
  bool is_writing_ = false;
};

}  // namespace weir
