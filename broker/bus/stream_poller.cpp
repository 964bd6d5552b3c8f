#include "broker/bus/stream_poller.h"

#include <algorithm>
#include <utility>

#include "broker/bus/stream_entry.h"
#include "redis/redis_error.h"
#include "redis/redis_reply.h"

namespace weir {
namespace {

constexpr std::size_t kEntriesMax = 500;
constexpr std::size_t kVoidMin = 1'024;

std::optional<StreamLook> look_of(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ARRAY) return std::nullopt;
  StreamLook look;
  bool has_last = false;
  for (std::size_t i = 0; i + 1 < reply.elements; i += 2) {
    const std::string_view name = text_of(*reply.element[i]);
    const redisReply& value = *reply.element[i + 1];
    if (name == "last-generated-id") {
      const auto id = parse_stream_id(text_of(value));
      if (!id) return std::nullopt;
      look.last = *id;
      has_last = true;
    } else if (name == "entries-added" && value.type == REDIS_REPLY_INTEGER) {
      look.entries_added = static_cast<std::uint64_t>(value.integer);
    } else if (name == "length" && value.type == REDIS_REPLY_INTEGER) {
      look.length = static_cast<std::uint64_t>(value.integer);
    } else if (name == "first-entry" && value.type == REDIS_REPLY_ARRAY && value.elements == 2) {
      look.first = parse_stream_id(text_of(*value.element[0]));
    }
  }
  return has_last ? std::optional(look) : std::nullopt;
}

}  // namespace

StreamPoller::StreamPoller(asio::io_context& io, const RedisBusOptions& options, Host& host)
    : options_(options), host_(host), connection_(io, options, "stream poller", *this) {}

void StreamPoller::open() {
  is_open_ = true;
  connection_.open();
}

void StreamPoller::close() {
  is_open_ = false;
  connection_.close();
  drop_all();
}

void StreamPoller::drop_all() {
  waiting_.clear();
  unanswered_.clear();
  batch_ = {};
  looks_waiting_ = 0;
  commands_waiting_.set(0);
}

void StreamPoller::probe(StreamTurn turn) { queue({.kind = Kind::kProbe, .turn = std::move(turn)}); }

void StreamPoller::read(StreamTurn turn) { queue({.kind = Kind::kRead, .turn = std::move(turn)}); }

void StreamPoller::look(StreamTurn turn) {
  ++looks_waiting_;
  queue({.kind = Kind::kLook, .turn = std::move(turn)});
}

void StreamPoller::queue(Command command) {
  if (waiting_.size() >= drop_void_at_) drop_void();
  waiting_.push_back(std::move(command));
  send();
}

// Redis may be slow while streams come and go.
void StreamPoller::drop_void() {
  std::erase_if(waiting_, [this](const Command& command) {
    const bool is_void = !command.turn.is_current();
    if (is_void && command.kind == Kind::kLook) --looks_waiting_;
    return is_void;
  });
  drop_void_at_ = std::max(kVoidMin, 2 * waiting_.size());
}

void StreamPoller::send() {
  while (!waiting_.empty() && unanswered_.size() < kUnderWayMax) {
    Command command = std::move(waiting_.front());
    waiting_.pop_front();
    if (command.turn.is_current()) {
      send(std::move(command));
    } else if (command.kind == Kind::kLook) {
      --looks_waiting_;
    }
  }
  commands_waiting_.set(waiting_.size());
  connection_.flush();
}

void StreamPoller::send(Command command) {
  const FollowedStream& stream = *command.turn.stream;
  if (command.kind == Kind::kLook) return send_look(std::move(command));
  reads_.add();
  if (command.kind == Kind::kProbe) {
    send_read(stream, stream.after, 1);
    unanswered_.push_back(std::move(command));
    return;
  }
  const bool has_before = stream.after != kStreamBegin;
  command.count = entries_per_reply(stream.entry_bytes, kEntriesMax) + (has_before ? 1 : 0);
  send_read(stream, has_before ? id_before(stream.after) : kStreamBegin, command.count);
  if (!stream.needs_look) {
    unanswered_.push_back(std::move(command));
    return;
  }
  command.kind = Kind::kReadAndLook;
  const StreamTurn turn = command.turn;
  unanswered_.push_back(std::move(command));
  send_look({.kind = Kind::kLookOfRead, .turn = turn});
}

void StreamPoller::send_read(const FollowedStream& stream, StreamId after, std::size_t count) {
  const std::string number = std::to_string(count);
  const std::string id = format_stream_id(after);
  const std::string_view words[] = {"XREAD", "COUNT", number, "STREAMS", stream.key, id};
  connection_.send(words);
}

void StreamPoller::send_look(Command command) {
  const FollowedStream& stream = *command.turn.stream;
  command.known = stream.known;
  const std::string_view words[] = {"XINFO", "STREAM", stream.key};
  connection_.send(words);
  looks_.add();
  unanswered_.push_back(std::move(command));
}

void StreamPoller::on_ping_due() {
  constexpr std::string_view kPing[] = {"PING"};
  unanswered_.push_back({});
  connection_.send(kPing);
}

void StreamPoller::on_down() {
  drop_all();
  host_.on_poller_down();
}

void StreamPoller::on_reply(const redisReply& reply) {
  if (unanswered_.empty()) return connection_.fail("an answer to no question");
  const Command command = std::move(unanswered_.front());
  unanswered_.pop_front();
  if (command.kind == Kind::kIgnored) return;
  if (command.kind == Kind::kLook) --looks_waiting_;
  if (!command.turn.is_current()) return;
  if (reply.type == REDIS_REPLY_ERROR) return on_error(command, text_of(reply));
  if (command.kind == Kind::kProbe) {
    return host_.on_probed(command.turn, reply.type != REDIS_REPLY_NIL);
  }
  if (command.kind == Kind::kRead || command.kind == Kind::kReadAndLook) {
    return on_read_reply(command, reply);
  }
  const auto look = look_of(reply);
  if (!look) return connection_.fail("an answer that is not XINFO's");
  on_look_reply(command, *look);
}

void StreamPoller::on_read_reply(const Command& command, const redisReply& reply) {
  StreamBatch batch;
  if (reply.type != REDIS_REPLY_NIL) {
    const FollowedStream& stream = *command.turn.stream;
    const auto news = stream_news_of(reply, 0);
    if (!news || reply.elements != 1) return connection_.fail("an answer that is not XREAD's");
    auto entries = stream_entries_of(*news->entries, stream.source, options_.limits.message_bytes_max);
    if (!entries) return connection_.fail("an answer that is not XREAD's");
    batch.entries = *std::move(entries);
    batch.largest = largest_stream_entry(*news->entries);
    batch.is_dry = batch.entries.size() < command.count;
    batch.has_before = !batch.entries.empty() && batch.entries.front().id == stream.after;
    if (batch.has_before) batch.entries.erase(batch.entries.begin());
  }
  if (command.kind == Kind::kRead) return host_.on_polled(command.turn, std::move(batch));
  batch_ = std::move(batch);
}

void StreamPoller::on_look_reply(const Command& command, const StreamLook& look) {
  if (command.kind == Kind::kLook) return host_.on_looked(command.turn, command.known, look);
  host_.on_checked(command.turn, std::exchange(batch_, {}), command.known, look);
}

void StreamPoller::on_error(const Command& command, std::string_view text) {
  const bool is_look = command.kind == Kind::kLook || command.kind == Kind::kLookOfRead;
  if (is_look && text.starts_with("ERR no such key")) {
    return on_look_reply(command, StreamLook{.last = {}, .entries_added = 0});
  }
  if (!may_pass(text)) return host_.on_refused(command.turn, text);
  if (command.kind == Kind::kReadAndLook) unanswered_.front().kind = Kind::kIgnored;
  if (command.kind != Kind::kLook) return host_.on_probed(command.turn, false);
  if (command.turn.stream->phase == FollowedStream::Phase::kLooking) connection_.fail(text);
}

}  // namespace weir
