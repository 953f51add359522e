"""Operations on lists and maps, as the server executes them."""
