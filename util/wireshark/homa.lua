-- SPDX-License-Identifier: GPL-2.0-or-later
-- homa.lua - shows Homa packets (IP protocol 146), switch transactions and allocation messages in
-- Wireshark and tshark: tshark -X lua_script:homa.lua ..., or copy it to the personal Lua plugins.
--
-- Layouts are those of include/p4wire.h, meanings those of doc/protocol.md. Nothing is reassembled:
-- an allocation message is shown if it is a message in one packet.

local homa = Proto("homa", "Homa transport")
local txn = Proto("p4txn", "Switch transaction")
local alloc = Proto("p4alloc", "Switch allocation")

local DATA, GRANT, RESEND, CUTOFFS, ACK = 0x10, 0x11, 0x12, 0x15, 0x18
local TXN, TXN_REPLY = 0x20, 0x21
local ALLOC_PORT = 4001
local COMMON_LEN, ALL = 28, 0xffffffff

local types = {
	[0x10] = "DATA", [0x11] = "GRANT", [0x12] = "RESEND", [0x13] = "RPC_UNKNOWN", [0x14] = "BUSY",
	[0x15] = "CUTOFFS", [0x16] = "FREEZE", [0x17] = "NEED_ACK", [0x18] = "ACK",
	[0x20] = "TXN", [0x21] = "TXN_REPLY",
}
local min_len = {
	[0x10] = 56, [0x11] = 33, [0x12] = 36, [0x13] = 28, [0x14] = 28, [0x15] = 62, [0x16] = 28,
	[0x17] = 28, [0x18] = 80, [0x20] = 168, [0x21] = 168,
}

-- ---------------------------------------------------------------- Homa

local f = {
	sport = ProtoField.uint16("homa.sport", "Source port"),
	dport = ProtoField.uint16("homa.dport", "Destination port"),
	sequence = ProtoField.uint32("homa.sequence", "Sequence"),
	type = ProtoField.uint8("homa.type", "Type", base.HEX, types),
	doff = ProtoField.uint8("homa.doff", "Header words", base.DEC, nil, 0xf0),
	flags = ProtoField.uint8("homa.flags", "Flags", base.HEX),
	checksum = ProtoField.uint16("homa.checksum", "Checksum", base.HEX),
	urgent = ProtoField.uint16("homa.urgent", "Urgent", base.HEX),
	id = ProtoField.uint64("homa.id", "RPC id of the sender"),
	rpc = ProtoField.uint64("homa.rpc", "RPC (as the client knows it)"),
	from_client = ProtoField.bool("homa.from_client", "From the client"),
	msg_len = ProtoField.uint32("homa.message_length", "Message length"),
	incoming = ProtoField.uint32("homa.incoming", "Incoming without a grant"),
	ack_id = ProtoField.uint64("homa.ack.id", "Acknowledged RPC (as the client knows it)"),
	ack_port = ProtoField.uint16("homa.ack.port", "its server port"),
	cutoff_version = ProtoField.uint16("homa.cutoff_version", "Version of cutoffs"),
	retransmit = ProtoField.uint8("homa.retransmit", "Retransmitted"),
	tenant = ProtoField.uint24("homa.tenant", "Tenant"),
	offset = ProtoField.uint32("homa.offset", "Offset"),
	data_len = ProtoField.uint32("homa.data_length", "Data bytes"),
	data = ProtoField.bytes("homa.data", "Data"),
	length = ProtoField.uint32("homa.length", "Length"),
	priority = ProtoField.uint8("homa.priority", "Priority"),
	resend_all = ProtoField.uint8("homa.resend_all", "Send again what was sent"),
	num_acks = ProtoField.uint16("homa.num_acks", "Further RPCs"),
	cutoff = ProtoField.uint32("homa.cutoff", "Longest message at this level or above"),
}
homa.fields = {}
for _, field in pairs(f) do table.insert(homa.fields, field) end

local e = {
	short = ProtoExpert.new("homa.short", "Shorter than its type allows", expert.group.MALFORMED,
		expert.severity.ERROR),
	type = ProtoExpert.new("homa.unknown_type", "Unknown type", expert.group.UNDECODED,
		expert.severity.WARN),
	range = ProtoExpert.new("homa.range", "Out of range", expert.group.PROTOCOL,
		expert.severity.ERROR),
}
homa.experts = {}
for _, expert_ in pairs(e) do table.insert(homa.experts, expert_) end

local function client_id(id)	-- the even one of the two names that an RPC has
	return id:band(UInt64(0xfffffffe, 0xffffffff))
end

local function add_ack(tvb, tree)
	tree:add(f.ack_id, tvb(0, 8))
	tree:add(f.ack_port, tvb(8, 2))
end

local function data(tvb, pinfo, tree)
	local msg_len, offset = tvb(28, 4):uint(), tvb(52, 4):uint()
	local len = tvb:len() - 56

	tree:add(f.msg_len, tvb(28, 4))
	tree:add(f.incoming, tvb(32, 4))
	if tvb(36, 8):uint64() ~= UInt64(0) then add_ack(tvb(36, 10), tree) end
	tree:add(f.cutoff_version, tvb(46, 2))
	tree:add(f.retransmit, tvb(48, 1))
	tree:add(f.tenant, tvb(49, 3))
	if offset == ALL then
		offset = tvb(4, 4):uint()
		tree:add(f.offset, tvb(4, 4)):append_text(" (in the sequence)")
	else
		tree:add(f.offset, tvb(52, 4))
	end
	tree:add(f.data_len, len):set_generated()
	if msg_len == 0 or msg_len > 1000000 or len == 0 or offset + len > msg_len then
		tree:add_proto_expert_info(e.range)
	end
	if len > 0 then tree:add(f.data, tvb(56)) end
	return string.format(" %d..%d of %d%s", offset, offset + len, msg_len,
		tvb(48, 1):uint() ~= 0 and ", again" or "")
end

local function grant(tvb, pinfo, tree)
	tree:add(f.offset, tvb(28, 4))
	tree:add(f.priority, tvb(32, 1))
	if tvb:len() > 33 then tree:add(f.resend_all, tvb(33, 1)) end
	if tvb(32, 1):uint() > 7 then tree:add_proto_expert_info(e.range) end
	return string.format(" up to %d at %d", tvb(28, 4):uint(), tvb(32, 1):uint())
end

local function resend(tvb, pinfo, tree)
	local offset, length = tvb(28, 4):uint(), tvb(32, 4):uint()

	tree:add(f.offset, tvb(28, 4))
	local item = tree:add(f.length, tvb(32, 4))
	if tvb:len() > 36 then
		tree:add(f.priority, tvb(36, 1))
		if tvb(36, 1):uint() > 7 then tree:add_proto_expert_info(e.range) end
	end
	if length ~= ALL then return string.format(" %d..%d", offset, offset + length) end
	item:append_text(" (everything sent so far)")
	return " all"
end

local function cutoffs(tvb, pinfo, tree)
	for i = 0, 7 do
		tree:add(f.cutoff, tvb(28 + 4 * i, 4)):prepend_text("Level " .. i .. ": ")
	end
	tree:add(f.cutoff_version, tvb(60, 2))
	return " version " .. tvb(60, 2):uint()
end

local function ack(tvb, pinfo, tree)
	local n = tvb(28, 2):uint()

	tree:add(f.num_acks, tvb(28, 2))
	if n > 5 then tree:add_proto_expert_info(e.range) end
	for i = 0, math.min(n, 5) - 1 do add_ack(tvb(30 + 10 * i, 10), tree) end
	return string.format(" and %d more", n)
end

local bodies = { [DATA] = data, [GRANT] = grant, [RESEND] = resend, [CUTOFFS] = cutoffs, [ACK] = ack }

local function common(tvb, tree)
	local id = tvb(20, 8):uint64()
	local rpc = client_id(id)

	tree:add(f.sport, tvb(0, 2))
	tree:add(f.dport, tvb(2, 2))
	tree:add(f.sequence, tvb(4, 4))
	tree:add(f.type, tvb(11, 1))
	tree:add(f.doff, tvb(12, 1))
	tree:add(f.flags, tvb(13, 1))
	tree:add(f.checksum, tvb(16, 2))
	tree:add(f.urgent, tvb(18, 2))
	tree:add(f.id, tvb(20, 8))
	tree:add(f.rpc, tvb(20, 8), rpc):set_generated()
	tree:add(f.from_client, tvb(27, 1), id == rpc):set_generated()
	return rpc
end

function homa.dissector(tvb, pinfo, tree)
	pinfo.cols.protocol = "Homa"
	local top = tree:add(homa, tvb())
	if tvb:len() < COMMON_LEN then
		top:add_proto_expert_info(e.short)
		return tvb:len()
	end
	local type = tvb(11, 1):uint()
	local name = types[type] or string.format("type 0x%02x", type)
	local rpc = common(tvb, top)
	local info = string.format("%d -> %d %s, RPC %s", tvb(0, 2):uint(), tvb(2, 2):uint(), name,
		tostring(rpc))

	if not types[type] then
		top:add_proto_expert_info(e.type)
	elseif tvb:len() < min_len[type] then
		top:add_proto_expert_info(e.short)
	elseif bodies[type] then
		info = info .. bodies[type](tvb, pinfo, top)
	end
	top:append_text(", " .. name)
	pinfo.cols.info = info
	if tvb:len() < (min_len[type] or COMMON_LEN) then return tvb:len() end
	if type == TXN or type == TXN_REPLY then
		txn.dissector(tvb(COMMON_LEN):tvb(), pinfo, tree)
	elseif type == DATA and tvb:len() >= 56 + 16 and tvb(28, 4):uint() == tvb:len() - 56 and
	       (tvb(0, 2):uint() == ALLOC_PORT or tvb(2, 2):uint() == ALLOC_PORT) then
		alloc.dissector(tvb(56):tvb(), pinfo, tree)
	end
	return tvb:len()
end

-- ---------------------------------------------------------------- switch transactions

local statuses = { [0] = "OK", "STALE", "CONFLICT", "ABORT", "VERSION", "MALFORMED" }
local passes = { [0] = "first", "retry", "second" }
local ops = { [0] = "none", "READ", "WRITE", "ADD", "CADD", "REFILL", "CHARGE" }

local x = {
	version = ProtoField.uint8("p4txn.version", "Version"),
	status = ProtoField.uint8("p4txn.status", "Status", base.DEC, statuses),
	pass = ProtoField.uint8("p4txn.pass", "Pass", base.DEC, passes),
	retries = ProtoField.uint8("p4txn.retries", "Trips lost to conflicts"),
	tenant = ProtoField.uint24("p4txn.tenant", "Tenant"),
	epoch = ProtoField.uint64("p4txn.epoch", "Epoch"),
	flow = ProtoField.uint32("p4txn.flow", "Flow"),
	seq = ProtoField.uint32("p4txn.seq", "Sequence number of the flow"),
	lock_check = ProtoField.uint32("p4txn.lock_check", "Bits that must be free", base.HEX),
	lock_acquire = ProtoField.uint32("p4txn.lock_acquire", "Bits held between passes", base.HEX),
	home = ProtoField.uint16("p4txn.home", "Home block"),
	port = ProtoField.uint16("p4txn.port", "Port of the switch"),
	sum = ProtoField.uint32("p4txn.sum", "Sum of the first pass's sources"),
	serial = ProtoField.uint64("p4txn.serial", "Commit serial"),
	reg = ProtoField.uint8("p4txn.reg", "Register"),
	op = ProtoField.uint8("p4txn.op", "Operation", base.DEC, ops, 0x1f),
	second = ProtoField.bool("p4txn.second_pass", "In the second pass", 8, nil, 0x80),
	source = ProtoField.bool("p4txn.source", "Its result counts in the sum", 8, nil, 0x40),
	dependent = ProtoField.bool("p4txn.dependent", "Uses the sum", 8, nil, 0x20),
	cell = ProtoField.uint16("p4txn.cell", "Cell"),
	operand = ProtoField.uint32("p4txn.operand", "Operand"),
	result = ProtoField.uint32("p4txn.result", "Value before"),
}
txn.fields = {}
for _, field in pairs(x) do table.insert(txn.fields, field) end

function txn.dissector(tvb, pinfo, tree)
	local top = tree:add(txn, tvb(0, 140))
	local n = 0

	top:add(x.version, tvb(0, 1))
	top:add(x.status, tvb(1, 1))
	top:add(x.pass, tvb(2, 1))
	top:add(x.retries, tvb(3, 1))
	top:add(x.tenant, tvb(4, 3))
	top:add(x.epoch, tvb(7, 5), tvb(7, 5):uint64())
	top:add(x.flow, tvb(12, 4))
	top:add(x.seq, tvb(16, 4))
	top:add(x.lock_check, tvb(20, 4))
	top:add(x.lock_acquire, tvb(24, 4))
	top:add(x.home, tvb(28, 2))
	top:add(x.port, tvb(30, 2))
	top:add(x.sum, tvb(32, 4))
	top:add(x.serial, tvb(36, 8))
	for i = 0, 7 do
		local at = tvb(44 + 12 * i, 12)
		local op = at(1, 1):bitfield(3, 5)

		if op ~= 0 then
			local item = top:add(txn, at, string.format("Instruction %d: %s", i, ops[op] or "?"))
			item:add(x.reg, at(0, 1))
			item:add(x.op, at(1, 1))
			item:add(x.second, at(1, 1))
			item:add(x.source, at(1, 1))
			item:add(x.dependent, at(1, 1))
			item:add(x.cell, at(2, 2))
			item:add(x.operand, at(4, 4))
			item:add(x.result, at(8, 4))
			n = n + 1
		end
	end
	local status = tvb(1, 1):uint()
	pinfo.cols.info:append(string.format(", flow %d seq %d, %d instructions%s", tvb(12, 4):uint(),
		tvb(16, 4):uint(), n, status ~= 0 and ", " .. (statuses[status] or status) or ""))
end

-- ---------------------------------------------------------------- allocation messages

local messages = {
	[0x01] = "HELLO", [0x02] = "REQUEST", [0x03] = "WAIT", [0x04] = "SYNC", [0x05] = "DONE",
	[0x06] = "LEAVE", [0x07] = "FETCH", [0x81] = "WELCOME", [0x82] = "RESERVED",
	[0x83] = "GRANTED", [0x84] = "SYNCED", [0x85] = "FREED", [0x86] = "LEFT", [0x87] = "ESCROW",
	[0x08] = "LOCK_INFO", [0x88] = "LOCKS", [0x09] = "LOCK", [0x89] = "LOCKED",
	[0x0a] = "UNLOCK", [0x8a] = "UNLOCKED",
	[0x0b] = "BUNDLE", [0x8b] = "BUNDLED", [0x0c] = "LOCK_CELLS", [0x8c] = "CELLS", [0x8d] = "CELL",
	[0x0d] = "RESIZE", [0x8e] = "RESIZED", [0x8f] = "REFUSED",
}
local sizes = { [0x02] = 36, [0x81] = 40, [0x82] = 36, [0x83] = 72, [0x87] = 28, [0x8f] = 112,
	[0x08] = 20, [0x88] = 20, [0x09] = 56, [0x89] = 32, [0x0a] = 56 }

local a = {
	version = ProtoField.uint8("p4alloc.version", "Version"),
	type = ProtoField.uint8("p4alloc.type", "Type", base.HEX, messages),
	length = ProtoField.uint16("p4alloc.length", "Length"),
	node = ProtoField.uint16("p4alloc.node", "Node"),
	nodes = ProtoField.uint16("p4alloc.nodes", "Nodes"),
	batch = ProtoField.uint32("p4alloc.batch", "Batch"),
	code = ProtoField.uint32("p4alloc.code", "Code"),
	registers = ProtoField.uint16("p4alloc.registers", "Registers"),
	blocks = ProtoField.uint16("p4alloc.blocks", "Blocks"),
	block_slots = ProtoField.uint16("p4alloc.block_slots", "Slots in a block"),
	dependent = ProtoField.uint16("p4alloc.dependent", "Registers of the dependent stage"),
	flows = ProtoField.uint32("p4alloc.flows", "Flows"),
	lease_max = ProtoField.uint32("p4alloc.lease_max_us", "Longest duration (us)"),
	grace = ProtoField.uint32("p4alloc.grace_us", "Grace (us)"),
	escrow = ProtoField.uint32("p4alloc.escrow", "Entries in escrow"),
	start = ProtoField.uint32("p4alloc.start_us", "Starts in (us)"),
	duration = ProtoField.uint32("p4alloc.duration_us", "Duration (us)"),
	min_blocks = ProtoField.uint16("p4alloc.min_blocks", "Blocks needed"),
	want_blocks = ProtoField.uint16("p4alloc.want_blocks", "Blocks wanted"),
	nr_hist = ProtoField.uint16("p4alloc.nr_hist", "Entries of the histogram"),
	together = ProtoField.uint16("p4alloc.together", "Accesses needed together"),
	hist = ProtoField.uint16("p4alloc.hist", "Share (1/65536)"),
	reservation = ProtoField.uint64("p4alloc.reservation", "Reservation"),
	wait = ProtoField.uint32("p4alloc.wait_us", "Estimated wait (us)"),
	ahead = ProtoField.uint32("p4alloc.ahead", "Reservations before"),
	target = ProtoField.uint16("p4alloc.target", "Blocks that it should get"),
	why = ProtoField.uint8("p4alloc.why", "Not granted yet", base.DEC, { [0] = "-", "no switch",
		"overran", "own batch", "start", "others first", "blocks", "flows", "nobody waits" }),
	believed = ProtoField.uint8("p4alloc.believed", "Histogram believed (%)"),
	epoch = ProtoField.uint64("p4alloc.epoch", "Epoch"),
	flow_first = ProtoField.uint32("p4alloc.flow_first", "First flow"),
	flow_count = ProtoField.uint32("p4alloc.flow_count", "Flows of this node"),
	lease = ProtoField.uint32("p4alloc.lease_us", "Lease (us)"),
	nr_blocks = ProtoField.uint16("p4alloc.nr_blocks", "Blocks granted"),
	bitmap = ProtoField.bytes("p4alloc.bitmap", "Bitmap of blocks"),
	total = ProtoField.uint32("p4alloc.total", "Entries in all"),
	first = ProtoField.uint32("p4alloc.first", "First entry"),
	count = ProtoField.uint32("p4alloc.count", "Entries here"),
	slot = ProtoField.uint16("p4alloc.slot", "Virtual slot"),
	reg = ProtoField.uint8("p4alloc.reg", "Register"),
	value = ProtoField.uint32("p4alloc.value", "Value"),
	got = ProtoField.uint32("p4alloc.got", "Got"),
	min = ProtoField.uint32("p4alloc.min", "Least"),
	max = ProtoField.uint32("p4alloc.max", "Most"),
	nr_keys = ProtoField.uint16("p4alloc.nr_keys", "Keys"),
	bits = ProtoField.uint16("p4alloc.bits", "Bits"),
	key = ProtoField.uint64("p4alloc.key", "Key"),
	accesses = ProtoField.uint32("p4alloc.accesses", "In second passes"),
	bit = ProtoField.uint8("p4alloc.bit", "Bit"),
	owner = ProtoField.uint64("p4alloc.owner", "Owner", base.HEX),
	token = ProtoField.uint64("p4alloc.token", "Token"),
	patience = ProtoField.uint32("p4alloc.patience_us", "Longest wait (us)"),
	name = ProtoField.bytes("p4alloc.name", "Name"),
	field = ProtoField.stringz("p4alloc.field", "Field"),
	text = ProtoField.stringz("p4alloc.text", "Text"),
}
alloc.fields = {}
for _, field in pairs(a) do table.insert(alloc.fields, field) end

-- { field, offset, length }... after the head
local layouts = {
	[0x02] = { { a.start, 16, 4 }, { a.duration, 20, 4 }, { a.min_blocks, 24, 2 },
		   { a.want_blocks, 26, 2 }, { a.flows, 28, 4 }, { a.nr_hist, 32, 2 },
		   { a.together, 34, 2 } },
	[0x81] = { { a.registers, 16, 2 }, { a.blocks, 18, 2 }, { a.block_slots, 20, 2 },
		   { a.dependent, 22, 2 },
		   { a.flows, 24, 4 }, { a.lease_max, 28, 4 }, { a.grace, 32, 4 }, { a.escrow, 36, 4 } },
	[0x82] = { { a.reservation, 16, 8 }, { a.wait, 24, 4 }, { a.ahead, 28, 4 }, { a.target, 32, 2 },
		{ a.why, 34, 1 }, { a.believed, 35, 1 } },
	[0x83] = { { a.epoch, 16, 8 }, { a.flow_first, 24, 4 }, { a.flow_count, 28, 4 },
		   { a.lease, 32, 4 }, { a.nr_blocks, 36, 2 }, { a.bitmap, 40, 32 } },
	[0x87] = { { a.total, 16, 4 }, { a.first, 20, 4 }, { a.count, 24, 4 } },
	[0x08] = { { a.nr_keys, 16, 2 } },
	[0x88] = { { a.nr_keys, 16, 2 }, { a.bits, 18, 2 } },
	[0x09] = { { a.owner, 16, 8 }, { a.token, 24, 8 }, { a.lease, 32, 4 }, { a.patience, 36, 4 },
		   { a.name, 40, 16 } },
	[0x89] = { { a.token, 16, 8 }, { a.lease, 24, 4 } },
	[0x0a] = { { a.owner, 16, 8 }, { a.token, 24, 8 }, { a.name, 40, 16 } },
	[0x8f] = { { a.got, 16, 4 }, { a.min, 20, 4 }, { a.max, 24, 4 }, { a.field, 28, 20 },
		   { a.text, 48, 64 } },
}

local function rows(tvb, top, type)	-- what follows the fixed part
	if type == 0x02 then
		for i = 0, math.min(tvb(32, 2):uint(), (tvb:len() - 36) / 2) - 1 do
			top:add(a.hist, tvb(36 + 2 * i, 2)):prepend_text("Virtual block " .. i .. ": ")
		end
	elseif type == 0x87 then
		for i = 0, math.min(tvb(24, 4):uint(), math.floor((tvb:len() - 28) / 12)) - 1 do
			local at = tvb(28 + 12 * i, 12)
			local item = top:add(alloc, at, "Entry " .. i)

			item:add(a.batch, at(0, 4))
			item:add(a.slot, at(4, 2))
			item:add(a.reg, at(6, 1))
			item:add(a.value, at(8, 4))
		end
	elseif type == 0x08 or type == 0x88 then
		local size = type == 0x08 and 12 or 9

		for i = 0, math.min(tvb(16, 2):uint(), math.floor((tvb:len() - 20) / size)) - 1 do
			local at = tvb(20 + size * i, size)
			local item = top:add(alloc, at, "Entry " .. i)

			item:add(a.key, at(0, 8))
			item:add(type == 0x08 and a.accesses or a.bit, at(8, size - 8))
		end
	end
end

function alloc.dissector(tvb, pinfo, tree)
	local top = tree:add(alloc, tvb())
	local type = tvb(1, 1):uint()
	local name = messages[type] or string.format("message 0x%02x", type)

	top:add(a.version, tvb(0, 1))
	top:add(a.type, tvb(1, 1))
	top:add(a.length, tvb(2, 2))
	top:add(a.node, tvb(4, 2))
	top:add(a.nodes, tvb(6, 2))
	top:add(a.batch, tvb(8, 4))
	top:add(a.code, tvb(12, 4))
	top:append_text(", " .. name)
	pinfo.cols.info:append(string.format(", %s batch %d", name, tvb(8, 4):uint()))
	if tvb:len() < (sizes[type] or 16) then
		top:add_proto_expert_info(e.short)
		return
	end
	for _, l in ipairs(layouts[type] or {}) do top:add(l[1], tvb(l[2], l[3])) end
	rows(tvb, top, type)
end

DissectorTable.get("ip.proto"):add(146, homa)
