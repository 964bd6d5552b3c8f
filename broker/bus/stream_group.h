// A group of followed streams that one connection waits for together: one XREAD BLOCK for all of them.
//
// What Redis waits for can't be changed until it answers. So a stream joins only between two answers; one
// that leaves meanwhile makes its turn void.
//
// The answer only says which streams have news: their entries are read by themselves, where it can be seen
// whether some are gone already.
//
// Threads:   the bus thread.
// Ownership: the host outlives this object. A closed group may be opened again; it is destroyed after the
//            io_context has stopped.
// Limits:    the host bounds the members. A reply has one entry of each.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "broker/bus/followed_stream.h"
#include "broker/bus/redis_connection.h"

namespace weir {

class StreamGroup : private RedisConnection::Owner {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    // The group can be asked: it is connected, and nothing is under way. Those in `news` have entries behind
    // FollowedStream::after. They are no members any more.
    virtual void on_group_idle(StreamGroup& group, std::vector<StreamTurn> news) = 0;
    // Redis refuses to wait for these, or the connection is lost. They are no members any more.
    virtual void on_group_refused(StreamGroup& group, std::vector<StreamTurn> members) = 0;
    virtual void on_group_down(StreamGroup& group, std::vector<StreamTurn> members) = 0;
  };

  StreamGroup(asio::io_context& io, const RedisBusOptions& options, std::string role, Host& host);

  void open();
  void close();
  bool is_open() const { return is_open_; }
  bool can_be_asked() const { return connection_.is_up() && !is_asked_; }

  // False if a member has the same key: an XREAD with a key twice waits for one of them only.
  [[nodiscard]] bool add(StreamTurn turn);
  std::vector<StreamTurn> take_members() { return std::exchange(members_, {}); }
  void drop_void_members();
  std::size_t size() const { return members_.size(); }

  // Waits for news of the members for at most `time`. Requires can_be_asked() and a member.
  void ask(std::chrono::milliseconds time);
  std::chrono::steady_clock::time_point asked_at() const { return asked_at_; }

 private:
  void on_up() override { host_.on_group_idle(*this, {}); }
  void on_reply(const redisReply& reply) override;
  void on_read() override {}
  void on_ping_due() override;
  void on_written() override {}
  void on_down() override;

  bool take_news(const redisReply& reply, std::vector<StreamTurn>& news);

  Host& host_;
  std::vector<StreamTurn> members_;  // In the order in which they were asked for.
  bool is_open_ = false;
  bool is_asked_ = false;
  std::size_t pings_ = 0;  // Without an answer.
  std::chrono::steady_clock::time_point asked_at_;
  RedisConnection connection_;
};

}  // namespace weir
