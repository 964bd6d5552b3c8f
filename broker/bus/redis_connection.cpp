#include "broker/bus/redis_connection.h"

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/connect.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/write.hpp>
#include <cassert>
#include <new>
#include <utility>

#include "broker/base/logging.h"
#include "redis/redis_command.h"
#include "redis/redis_login.h"
#include "redis/redis_reply.h"

namespace weir {
namespace {

constexpr std::size_t kReadBytes = 128 << 10;
// hiredis moves the bytes it has not parsed yet to the front after each kilobyte of replies. That costs
// little in small portions; in one of 128 KB it would copy every byte sixty times.
constexpr std::size_t kParseBytes = 8 << 10;
// An emptied buffer larger than this gives its memory back (a large message has passed).
constexpr std::size_t kKeptBytes = 1 << 20;
// Small commands are written together, this much at a time; a longer word is a piece of its own.
constexpr std::size_t kPieceBytes = 64 << 10;

std::string in_milliseconds(std::chrono::milliseconds duration) {
  return std::to_string(duration.count()) + " ms";
}

}  // namespace

void RedisConnection::ReaderDeleter::operator()(redisReader* reader) const { redisReaderFree(reader); }

RedisConnection::RedisConnection(asio::io_context& io, const RedisBusOptions& options, std::string role,
                                 Owner& owner)
    : options_(options),
      role_(std::move(role)),
      owner_(owner),
      socket_(io),
      resolver_(io),
      retry_timer_(io),
      ping_timer_(io),
      deadline_timer_(io),
      random_(std::random_device{}()),
      backoff_(options.backoff_min, options.backoff_max, Backoff::Jitter::kFull),
      filter_(options.limits.message_bytes_max + kOversizeSlackBytes),
      read_buffer_(kReadBytes) {}

RedisConnection::~RedisConnection() = default;

void RedisConnection::open() {
  assert(!is_open_);
  is_open_ = true;
  connect();
}

void RedisConnection::close() {
  is_open_ = false;
  is_up_ = false;
  drop_link();
  retry_timer_.cancel();
}

void RedisConnection::fail(std::string_view why) {
  const bool was_up = std::exchange(is_up_, false);
  drop_link();
  if (was_up || why != why_not_up()) {
    set_failure(why);
    log_warning("redis " + role_ + (was_up ? ": connection lost: " : ": not connected: ") + std::string(why));
  }
  // A link that lasted makes a fresh start; one that is cut again and again does not.
  if (was_up && std::chrono::steady_clock::now() - up_since_ >= options_.backoff_max) {
    attempts_ = 0;
    backoff_.reset();
  }
  retry_later();
  if (was_up) owner_.on_down();
}

std::string RedisConnection::why_not_up() const {
  const MutexLock lock(failure_mutex_);
  return last_failure_;
}

void RedisConnection::set_failure(std::string_view why) {
  const MutexLock lock(failure_mutex_);
  last_failure_ = why;
}

void RedisConnection::drop_link() {
  ++link_;
  asio::error_code ignored;
  socket_.close(ignored);
  drop_unsent();
  tls_.reset();
  resolver_.cancel();
  ping_timer_.cancel();
  deadline_timer_.cancel();
}

void RedisConnection::retry_later() {
  ++attempts_;
  retry_timer_.expires_after(backoff_.next(std::generate_canonical<double, 32>(random_)));
  retry_timer_.async_wait([this, link = link_](asio::error_code error) {
    if (!error && link == link_) connect();
  });
}

void RedisConnection::connect() {
  const Link link = ++link_;
  reader_.reset(redisReaderCreate());
  if (reader_ == nullptr) throw std::bad_alloc();
  reader_->maxbuf = kKeptBytes;
  filter_ = OversizeFilter(options_.limits.message_bytes_max + kOversizeSlackBytes);
  drop_unsent();
  is_writing_ = false;
  is_ping_unanswered_ = false;
  arm_deadline("connect");

  const RedisUrl& url = options_.url;
  auto password = read_redis_password(url, options_.files);
  if (!password) return fail(password.error().message);
  password_ = *std::move(password);
  if (!url.path.empty()) return connect_to(link, {asio::local::stream_protocol::endpoint(url.path)});
  connect_by_name(link);
}

void RedisConnection::connect_by_name(Link link) {
  // Names and addresses take the same flags: an address is resolved without a DNS server.
  resolver_.async_resolve(
      options_.url.host, options_.url.port,
      [this, link](asio::error_code error, const asio::ip::tcp::resolver::results_type& results) {
        if (link != link_) return;
        if (error) return fail("can't resolve " + options_.url.host + ": " + error.message());
        std::vector<Endpoint> endpoints;
        for (const auto& result : results) endpoints.emplace_back(result.endpoint());
        // Rotate, so that one address that swallows packets does not use up the time of every attempt.
        std::rotate(endpoints.begin(), endpoints.begin() + attempts_ % endpoints.size(), endpoints.end());
        connect_to(link, std::move(endpoints));
      });
}

void RedisConnection::connect_to(Link link, std::vector<Endpoint> endpoints) {
  asio::async_connect(socket_, endpoints, [this, link](asio::error_code error, const Endpoint&) {
    if (link != link_) return;
    if (error) return fail(error.message());
    if (options_.url.path.empty()) {
      asio::error_code ignored;
      socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
      socket_.set_option(asio::socket_base::keep_alive(true), ignored);
    }
    if (options_.url.is_tls) return start_tls(link);
    greet();
    read();
  });
}

void RedisConnection::start_tls(Link link) {
  auto context = make_tls_context(options_.files);
  if (!context) return fail(context.error().message);
  awaited_ = "the TLS handshake";
  tls_ = std::make_unique<TlsStream>(std::move(*context), std::move(socket_), options_.url.host);
  tls_->handshake([this, link](const std::string& why_not) {
    if (link != link_) return;
    if (!why_not.empty()) return fail(why_not);
    awaited_ = "connect";
    greet();
    read();
  });
}

// Sends the login and a first PING in one write. Each gets its own reply.
void RedisConnection::greet() {
  greetings_left_ = 0;
  for (const RedisWords& words : login_commands(options_.url, password_)) {
    ++greetings_left_;
    send(std::vector<std::string_view>(words.begin(), words.end()));
  }
  flush();
}

void RedisConnection::on_greeting_reply(const redisReply& reply) {
  --greetings_left_;
  // LOADING, MASTERDOWN, NOAUTH, WRONGPASS: useless now, perhaps not later.
  if (const auto why_not = why_not_logged_in(reply, greetings_left_ == 0)) return fail(*why_not);
  if (greetings_left_ > 0) return;

  is_up_ = true;
  up_since_ = std::chrono::steady_clock::now();
  set_failure({});
  log_info("redis " + role_ + ": connected to " + options_.url.redacted());
  deadline_timer_.cancel();
  arm_ping();
  owner_.on_up();
}

void RedisConnection::arm_ping() {
  ping_timer_.expires_after(options_.ping_interval);
  ping_timer_.async_wait([this, link = link_](asio::error_code error) {
    if (error || link != link_) return;
    is_ping_unanswered_ = true;
    arm_deadline("PING");
    owner_.on_ping_due();
    flush();
  });
}

void RedisConnection::arm_deadline(const char* what) {
  awaited_ = what;
  deadline_timer_.expires_after(options_.answer_timeout);
  deadline_timer_.async_wait([this, link = link_](asio::error_code error) {
    // The answer may have come in the same moment: a timer that has fired can't be cancelled.
    if (error || link != link_ || (is_up_ && !is_ping_unanswered_)) return;
    fail(std::string("no answer to ") + awaited_ + " within " + in_milliseconds(options_.answer_timeout));
  });
}

// Hot path: reads for as long as there is anything to read, and waits for nobody: Redis cuts off
// a subscriber that falls behind.
void RedisConnection::read() {
  if (tls_) {
    return tls_->read([this, link = link_](asio::error_code error, std::string_view bytes) {
      on_read(link, error, bytes);
    });
  }
  socket_.async_read_some(asio::buffer(read_buffer_),
                          [this, link = link_](asio::error_code error, std::size_t size) {
                            on_read(link, error, {read_buffer_.data(), size});
                          });
}

void RedisConnection::on_read(Link link, asio::error_code error, std::string_view bytes) {
  if (link != link_) return;
  if (error) return fail(why_closed(error));
  take_bytes(bytes);
  if (link == link_) read();
}

std::string RedisConnection::why_closed(asio::error_code error) const {
  const bool is_closed = error == asio::error::eof || error == asio::error::connection_reset;
  if (is_closed && !is_up_ && !tls_ && options_.url.path.empty()) {
    return "closed by Redis before it answered (for a port with TLS the URL begins with rediss://)";
  }
  return tls_error_text(error);
}

void RedisConnection::take_bytes(std::string_view received) {
  if (is_ping_unanswered_) {
    is_ping_unanswered_ = false;
    deadline_timer_.cancel();
    arm_ping();
  }
  const Link link = link_;
  passed_.clear();
  filter_.filter(received, passed_);
  for (std::string_view bytes : passed_) {
    for (; !bytes.empty() && link == link_; bytes.remove_prefix(std::min(kParseBytes, bytes.size()))) {
      parse(bytes.substr(0, kParseBytes));
    }
  }
  if (is_up_) owner_.on_read();
}

void RedisConnection::parse(std::string_view bytes) {
  const Link link = link_;
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
  while (link == link_) {
    void* parsed = nullptr;
    if (redisReaderGetReply(reader_.get(), &parsed) != REDIS_OK) return fail(reader_->errstr);
    if (parsed == nullptr) break;
    const RedisReplyPtr reply(static_cast<redisReply*>(parsed));
    is_up_ ? owner_.on_reply(*reply) : on_greeting_reply(*reply);
  }
  // The filter removes strings that are too large; a line or a header may still be endless.
  const std::size_t waiting = link == link_ ? reader_->len - reader_->pos : 0;
  if (waiting > options_.limits.message_bytes_max + 2 * kOversizeSlackBytes) fail("an answer without an end");
}

void RedisConnection::append(std::string_view bytes) {
  unsent_bytes_ += bytes.size();
  while (!bytes.empty()) {
    if (queued_.empty() || queued_.back().size() >= kPieceBytes)
      queued_.push_back(std::exchange(spare_, std::string()));
    std::string& piece = queued_.back();
    const std::size_t taken = std::min(bytes.size(), kPieceBytes - piece.size());
    piece.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
  }
}

void RedisConnection::append_words(std::span<const std::string_view> words) {
  for (const std::string_view word : words) {
    append(word_header(word.size()));
    append(word);
    append(kWordEnd);
  }
}

void RedisConnection::send(std::span<const std::string_view> words) {
  append(command_header(words.size()));
  append_words(words);
}

void RedisConnection::send(std::span<const std::string_view> words, std::string large,
                           std::span<const std::string_view> behind) {
  append(command_header(words.size() + 1 + behind.size()));
  append_words(words);
  append(word_header(large.size()));
  if (large.size() < kPieceBytes) {
    append(large);
  } else {
    unsent_bytes_ += large.size();
    queued_.push_back(std::move(large));
  }
  append(kWordEnd);
  append_words(behind);
}

void RedisConnection::flush() {
  if (is_writing_ || queued_.empty()) return;
  is_writing_ = true;
  in_write_ = std::move(queued_.front());
  queued_.pop_front();
  if (tls_) {
    return tls_->write(in_write_, [this, link = link_](asio::error_code error) { on_written(link, error); });
  }
  asio::async_write(socket_, asio::buffer(in_write_),
                    [this, link = link_](asio::error_code error, std::size_t) { on_written(link, error); });
}

void RedisConnection::on_written(Link link, asio::error_code error) {
  if (link != link_) return;
  // Redis has closed. What it said before that is still to be read, such as why; the read finds the end.
  if (error) return;
  is_writing_ = false;
  unsent_bytes_ -= in_write_.size();
  in_write_.clear();
  if (in_write_.capacity() <= 2 * kPieceBytes) spare_ = std::move(in_write_);
  std::string().swap(in_write_);
  flush();
  if (is_up_ && !is_writing_) owner_.on_written();
}

void RedisConnection::drop_unsent() {
  queued_.clear();
  std::string().swap(in_write_);
  unsent_bytes_ = 0;
}

}  // namespace weir
