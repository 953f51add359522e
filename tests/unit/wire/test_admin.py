"""Admin messages: login, users, roles, both sides."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings, strategies as st

from trio_aerospike._wire import admin, admin_messages as form
from trio_aerospike._wire.frames import FrameReader
from trio_aerospike._wire.messages import Field
from trio_aerospike.errors import InvalidArgError, ProtocolError


def body_of(frame: bytes) -> bytes:
    [(kind, body)] = FrameReader().feed(frame)
    assert kind == 2
    return body


def request(frame: bytes) -> admin.AdminMessage:
    return admin.decode_admin_message(body_of(frame))


@settings(deadline=None)
@given(st.binary(max_size=120), st.booleans())
def test_arbitrary_bytes_are_messages_or_a_protocol_error(body: bytes, with_header: bool) -> None:
    if with_header:
        body = bytes((0, 0, 9, len(body) % 3)) + bytes(12) + body
    for decode in (
        admin.decode_admin_messages,
        admin.decode_login_response,
        admin.decode_result,
        admin.decode_users,
        admin.decode_roles,
        admin.decode_roles_field,
        admin.decode_privileges_field,
    ):
        try:
            decode(body)
        except ProtocolError:
            pass


fields = st.lists(st.builds(Field, st.integers(0, 255), st.binary(max_size=30)), max_size=5).map(tuple)


@settings(deadline=None)
@given(
    st.lists(
        st.builds(admin.AdminMessage, command=st.integers(0, 255), result_code=st.integers(0, 255), fields=fields),
        min_size=1,
        max_size=4,
    )
)
def test_any_messages_come_back_as_they_were(messages: list[admin.AdminMessage]) -> None:
    assert admin.decode_admin_messages(body_of(admin.encode_admin_frame(*messages))) == messages


def test_a_password_hashes_as_every_client_hashes_it() -> None:
    hashed = admin.hash_password("admin")
    assert hashed.startswith(b"$2a$10$7EqJtq98hPqEX7fNZaFWo")
    assert len(hashed) == 60
    assert admin.hash_password("admin") == hashed
    assert admin.hash_password("Admin") != hashed


def test_passwords_past_72_bytes_count_for_their_first_72() -> None:
    assert admin.hash_password("x" * 100) == admin.hash_password("x" * 72)


@pytest.mark.parametrize("password", ["a\x00b", "\ud800"])
def test_passwords_that_cannot_be_hashed_are_refused_without_showing_them(password: str) -> None:
    with pytest.raises(InvalidArgError, match="password") as caught:
        admin.hash_password(password)
    assert password not in str(caught.value)


def test_user_commands_hold_what_the_c_client_sends() -> None:
    roles = Field(form.ADMIN_ROLES, b"\x02\x04read\x0adata-admin")
    ann = Field(form.ADMIN_USER, b"ann")
    new = Field(form.ADMIN_PASSWORD, b"new")
    for frame, command, expected in [
        (admin.encode_create_user("ann", b"new", ["read", "data-admin"]), form.COMMAND_CREATE_USER, (ann, new, roles)),
        (admin.encode_drop_user("ann"), form.COMMAND_DROP_USER, (ann,)),
        (admin.encode_set_password("ann", b"new"), form.COMMAND_SET_PASSWORD, (ann, new)),
        (
            admin.encode_change_password("ann", b"old", b"new"),
            form.COMMAND_CHANGE_PASSWORD,
            (ann, Field(form.ADMIN_OLD_PASSWORD, b"old"), new),
        ),
        (admin.encode_grant_roles("ann", ["read", "data-admin"]), form.COMMAND_GRANT_ROLES, (ann, roles)),
        (admin.encode_revoke_roles("ann", ["read", "data-admin"]), form.COMMAND_REVOKE_ROLES, (ann, roles)),
        (admin.encode_query_users("ann"), form.COMMAND_QUERY_USERS, (ann,)),
        (admin.encode_query_users(), form.COMMAND_QUERY_USERS, ()),
        (admin.encode_authenticate(None, b"t"), form.COMMAND_AUTHENTICATE, (Field(form.ADMIN_SESSION_TOKEN, b"t"),)),
    ]:
        assert request(frame) == admin.AdminMessage(command=command, fields=expected)
    assert admin.decode_roles_field(roles.data) == ("read", "data-admin")


def test_role_commands_hold_what_the_c_client_sends() -> None:
    name = Field(form.ADMIN_ROLE, b"r")
    privileges = [admin.Privilege(10, "test", "users"), admin.Privilege(0), admin.Privilege(13)]
    field = Field(form.ADMIN_PRIVILEGES, b"\x03\x0a\x04test\x05users\x00\x0d\x00\x00")
    for frame, command, expected in [
        (admin.encode_drop_role("r"), form.COMMAND_DROP_ROLE, (name,)),
        (admin.encode_grant_privileges("r", privileges), form.COMMAND_GRANT_PRIVILEGES, (name, field)),
        (admin.encode_revoke_privileges("r", privileges), form.COMMAND_REVOKE_PRIVILEGES, (name, field)),
        (
            admin.encode_set_whitelist("r", ["10.0.0.1", "10.0.0.2"]),
            form.COMMAND_SET_WHITELIST,
            (name, Field(form.ADMIN_WHITELIST, b"10.0.0.1,10.0.0.2")),
        ),
        (admin.encode_set_whitelist("r", []), form.COMMAND_SET_WHITELIST, (name,)),
        (
            admin.encode_set_quotas("r", 7, 8),
            form.COMMAND_SET_QUOTAS,
            (
                name,
                Field(form.ADMIN_READ_QUOTA, struct.pack(">I", 7)),
                Field(form.ADMIN_WRITE_QUOTA, struct.pack(">I", 8)),
            ),
        ),
        (admin.encode_query_roles("r"), form.COMMAND_QUERY_ROLES, (name,)),
        (admin.encode_query_roles(), form.COMMAND_QUERY_ROLES, ()),
    ]:
        assert request(frame) == admin.AdminMessage(command=command, fields=expected)
    assert admin.decode_privileges_field(field.data) == tuple(privileges)


def test_a_query_refused_gives_its_code_and_no_users() -> None:
    assert admin.decode_users(body_of(admin.encode_result(81))) == ([], 81)
    assert admin.decode_roles(body_of(admin.encode_result(70))) == ([], 70)


def test_a_query_whose_end_comes_in_a_later_frame_is_not_done() -> None:
    message = admin.AdminMessage(fields=(Field(form.ADMIN_USER, b"ann"),))
    assert admin.decode_users(body_of(admin.encode_admin_frame(message))) == ([admin.User("ann")], None)
    message = admin.AdminMessage(fields=(Field(form.ADMIN_ROLE, b"r"),))
    assert admin.decode_roles(body_of(admin.encode_admin_frame(message))) == ([admin.Role("r")], None)


@pytest.mark.parametrize(
    "frame",
    [
        admin.encode_result(0),
        admin.encode_login_response(admin.LoginAnswer(0, b"", 1)),
        admin.encode_admin_frame(
            admin.AdminMessage(fields=(Field(form.ADMIN_SESSION_TOKEN, b"t"), Field(form.ADMIN_SESSION_TTL, b"123")))
        ),
        admin.encode_admin_frame(admin.AdminMessage(), admin.AdminMessage()),
        bytes.fromhex("0202000000000000"),
        bytes.fromhex("020200000000000f") + bytes(15),
        bytes.fromhex("0202000000000010") + b"\x00\x00\x00\x01" + bytes(12),
    ],
)
def test_a_login_that_says_yes_without_a_good_token_is_a_protocol_error(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        admin.decode_login_response(body_of(frame))


def test_a_session_token_does_not_show_in_the_repr() -> None:
    assert "secret" not in repr(admin.LoginAnswer(0, b"secret", 5))


@pytest.mark.parametrize(
    "build",
    [
        lambda: admin.encode_drop_user(""),
        lambda: admin.encode_drop_user("u" * 64),
        lambda: admin.encode_drop_user("\ud800"),
        lambda: admin.encode_drop_role("r" * 64),
        lambda: admin.encode_grant_roles("u", ["r"] * 256),
        lambda: admin.encode_grant_roles("u", [""]),
        lambda: admin.encode_grant_privileges("r", [admin.Privilege(1, "test")]),
        lambda: admin.encode_grant_privileges("r", [admin.Privilege(10, "n" * 256)]),
        lambda: admin.encode_grant_privileges("r", [admin.Privilege(10)] * 256),
    ],
)
def test_names_and_lists_past_the_protocols_limits_are_refused(build: object) -> None:
    with pytest.raises(InvalidArgError):
        build()  # type: ignore[operator]
